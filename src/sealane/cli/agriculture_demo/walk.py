"""The whole demo: three federations one after the other, and one page at the end."""

from __future__ import annotations

import time
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
    clay, rice = (one["report"]["errors"]["all"] for one in told.chapters if "errors" in one["report"])
    return {
        "title": "Soil, rice and markets, without pooling a row",
        "lead": lead(clay, rice), "chapters": told.chapters, "data": told.data, "timings": told.timings,
        "wall_s": round(time.perf_counter() - began, 2),
    }


def lead(clay: dict[str, float], rice: dict[str, float]) -> str:
    """Return what came of it; results on made-up rows are no part of it."""
    return (f"Five farms predict clay to {clay['own level']:.0f} g/kg with joint slopes and a level of their own, to "
            f"{clay['joint']:.0f} with one model for all, and to {clay['alone']:.0f} each alone; six villages predict "
            f"the logarithm of rice output to {rice['joint']:.3f} jointly and to {rice['alone']:.3f} alone. Only sums "
            f"were ever opened, and only at the institutions. Then three markets watch their quotes. {LABEL}")
