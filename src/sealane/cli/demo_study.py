"""One example's federation in a demo: data prepared, institutions started, questions asked, all stopped again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child, find_example
from sealane.cli.local_federation import LocalFederation, local_federation

Asked = Callable[[LocalFederation, Any, Path, Mapping[str, int], Teller], list[dict[str, Any]]]
"""What is asked of an example's institutions: returns chapters."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of several federations, one after the other: fields of a report."""

    chapters: list[dict[str, Any]]
    data: list[dict[str, Any]]
    timings: dict[str, float]


def run_studies(root: Path, studies: Mapping[str, Asked], teller: Teller) -> Told:
    """Run each example's federation in turn."""
    told = Told([], [], {})
    for name, asked in studies.items():
        started = time.perf_counter()
        found, used = study(root / name, name, asked, teller)
        told.chapters.extend(found)
        told.data.append(used)
        told.timings[used["title"].partition(":")[0]] = round(time.perf_counter() - started, 3)
    return told


def study(root: Path, name: str, asked: Asked, teller: Teller) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Prepare one example's data, start its institutions, ask, and return chapters and what is known of the data."""
    example = find_example(name)
    data = root / "data"
    teller.step(f"preparing data in a child process: {example.title}")
    prepared = child(name, "prepare", str(data))
    parts: Mapping[str, Any] = prepared["institutions"]
    tables = {institution: Path(part["path"]) for institution, part in parts.items()}
    rows = {institution: int(part["rows"]) for institution, part in parts.items()}
    with local_federation(root, tables, example.contract, say=teller.step) as federation:
        chapters = asked(federation, example, data, rows, teller)
    used = {"title": example.title, "source": example.source, "licence": example.licence, "rows": sum(rows.values()),
            "sha256": {institution: part["sha256"] for institution, part in parts.items()}}
    return chapters, used
