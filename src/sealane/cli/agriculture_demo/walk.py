"""The whole demo: three federations one after the other, and one page at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealane.cli.agriculture_demo.quotes import LABEL, quote_chapters
from sealane.cli.agriculture_demo.rice import rice_chapters
from sealane.cli.agriculture_demo.soil import soil_chapters
from sealane.cli.demo_steps import Teller
from sealane.cli.demo_study import Asked, run_studies

STUDIES: dict[str, Asked] = {"soil": soil_chapters, "rice": rice_chapters, "quotes": quote_chapters}
"""What is asked of each example's institutions, in order."""


def agriculture(root: Path, teller: Teller) -> dict[str, Any]:
    """Run all studies with real processes, and return the fields of the report."""
    began = time.perf_counter()
    told = run_studies(root, STUDIES, teller)
    clay, rice = (one["report"]["errors"] for one in told.chapters if "errors" in one["report"])
    return {
        "title": "Soil, rice and markets, without pooling a row",
        "lead": lead(clay, rice), "chapters": told.chapters, "data": told.data, "timings": told.timings,
        "wall_s": round(time.perf_counter() - began, 2),
    }


def lead(clay: Mapping[str, Any], rice: Mapping[str, Any]) -> str:
    """Return what came of it; results on made-up rows are no part of it."""
    middle, of_all = clay["median"], rice["all"]
    away = min(one["away"] for one in clay["within"].values())
    return (f"Half of the held-out soil samples of five farms are predicted to within {middle['joint']:.0f} g/kg of "
            f"clay by one joint model, and to within {middle['alone']:.0f} by each farm's own at home, which on other "
            f"farms is off by {away:.0f} and more. Six villages predict the logarithm of rice output to "
            f"{of_all['joint']:.3f} jointly and to {of_all['alone']:.3f} alone. Only sums were ever opened, and only "
            f"at the institutions. Then three markets watch their quotes. {LABEL}")
