"""The whole demo: two federations one after the other, and one page at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child, find_example
from sealane.cli.healthcare_demo.heart import heart_chapters
from sealane.cli.healthcare_demo.survival import survival_chapters
from sealane.cli.local_federation import LocalFederation, local_federation

Asked = Callable[[LocalFederation, Any, Path, Mapping[str, int], Teller], list[dict[str, Any]]]
STUDIES: dict[str, Asked] = {"heart-disease": heart_chapters, "breast-cancer": survival_chapters}
"""What is asked of each example's institutions, in order."""


def healthcare(root: Path, teller: Teller) -> dict[str, Any]:
    """Run both studies with real processes, and return the fields of the report."""
    began = time.perf_counter()
    chapters: list[dict[str, Any]] = []
    data: list[dict[str, Any]] = []
    timings: dict[str, float] = {}
    for name, asked in STUDIES.items():
        started = time.perf_counter()
        found, used = study(root / name, name, asked, teller)
        chapters += found
        data.append(used)
        timings[used["title"].partition(":")[0]] = round(time.perf_counter() - started, 3)
    auc = next(one["report"]["metrics"]["auc"] for one in chapters if "metrics" in one["report"])
    concordance = next(one["report"]["concordance"]["all"] for one in chapters if "concordance" in one["report"])
    return {
        "title": "Two studies across hospitals, without pooling a record",
        "lead": (
            f"Four hospitals fitted a risk model of heart disease (AUC {auc['joint']:.3f} on held-out patients), and "
            f"four cohorts a survival study of breast cancer (concordance {concordance['joint']:.3f}). The numbers are "
            "those of pooled rows; only sums were ever opened, and only at the institutions."
        ),
        "chapters": chapters, "data": data, "timings": timings, "wall_s": round(time.perf_counter() - began, 2),
    }


def study(root: Path, name: str, asked: Asked, teller: Teller) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Prepare one example's data, start its institutions, ask, and return chapters and what is known of the data."""
    example = find_example(name)
    teller.step(f"preparing real data in a child process: {example.title}")
    data = root / "data"
    prepared = child(name, "prepare", str(data))
    parts: Mapping[str, Any] = prepared["institutions"]
    tables = {institution: Path(part["path"]) for institution, part in parts.items()}
    rows = {institution: int(part["rows"]) for institution, part in parts.items()}
    with local_federation(root, tables, example.contract, say=teller.step) as federation:
        chapters = asked(federation, example, data, rows, teller)
    used = {"title": example.title, "source": example.source, "licence": example.licence, "rows": sum(rows.values()),
            "sha256": {institution: part["sha256"] for institution, part in parts.items()}}
    return chapters, used
