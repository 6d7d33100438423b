"""The whole demo: loans that are real, payments that are made up, and one page at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sealane.cli.demo_steps import Teller
from sealane.cli.example_data import child, find_example
from sealane.cli.finance_demo.cards import card_chapters
from sealane.cli.finance_demo.loans import loan_chapters
from sealane.cli.finance_demo.supervising import FOLDER
from sealane.cli.local_federation import local_federation
from sealane.errors import InputError
from sealane.node.sources import with_mapping


def finance(root: Path, teller: Teller, *, fraud: bool = True) -> dict[str, Any]:
    """Run the studies with real processes, and return the fields of the report.

    Args:
        root: directory for homes, logs, data, and the supervisory report on the made-up payments.
        teller: is told each step.
        fraud: also the made-up card payments.

    Raises:
        InputError: an example, or LightGBM, is not installed.
    """
    began = time.perf_counter()
    chapters, beside, used = loans(root / "loans", teller)
    data, timings = [used], {"Loans": round(time.perf_counter() - began, 3)}
    if fraud:
        started = time.perf_counter()
        more, payments = cards(root / "cards", teller, root / FOLDER)
        chapters += more
        data.append(payments)
        timings["Card payments (made up)"] = round(time.perf_counter() - started, 3)
    return {
        "title": "Credit risk over four regions, without pooling a loan", "lead": lead(beside, fraud=fraud),
        "chapters": chapters, "beside": beside, "data": data, "timings": timings,
        "wall_s": round(time.perf_counter() - began, 2),
    }


def check_lightgbm() -> None:
    """Say before anything is started, and not after the first studies, that a part is missing.

    Raises:
        InputError: LightGBM is not installed.
    """
    if find_spec("lightgbm") is None:
        raise InputError("demo.no-lightgbm", "the demo grows trees with LightGBM, which is not installed",
                         hint="pip install 'sealane[examples]'")


def lead(beside: list[dict[str, Any]], *, fraud: bool) -> str:
    """Return what came of it; results on made-up rows are no part of it."""
    areas = ", ".join(f"{one['name']} {one['auc']['joint']:.3f}" for one in beside)
    told = (f"Four regions of a lender's book fitted three kinds of model together. AUC on held-out loans: {areas}. "
            "Only sums were ever opened, and only at the institutions.")
    return f"{told} A second part watches card payments that are made up, to show the work and not a result." if (
        fraud) else told


def loans(root: Path, teller: Teller) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Return the chapters on loans, the models side by side, and what is known of the data."""
    example = find_example("finance")
    teller.step(f"preparing real data in a child process: {example.title}")
    prepared = child(example.name, "prepare", str(root / "data"))["regions"]
    check_lightgbm()
    tables, rows = parts_of(prepared)
    with local_federation(root, tables, example.contract, say=teller.step) as federation:
        chapters, beside = loan_chapters(federation, example, root / "data", rows, teller)
    return chapters, beside, described(example, prepared, sum(rows.values()))


def cards(root: Path, teller: Teller, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the chapters on card payments, and what is known of the data."""
    example = find_example("card-fraud")
    teller.step(f"making up data in a child process: {example.title}")
    prepared = child(example.name, "prepare", str(root / "data"))
    tables, rows = parts_of(prepared["institutions"])
    sources = {name: with_mapping(f"features:{path}", Path(prepared["recipe"])) for name, path in tables.items()}
    with local_federation(root, sources, example.contract, say=teller.step) as federation:
        chapters, scored = card_chapters(federation, example, root / "data", rows, teller, folder)
    return chapters, described(example, prepared["institutions"], sum(rows.values()) + scored)


def parts_of(prepared: Mapping[str, Any]) -> tuple[dict[str, Path], dict[str, int]]:
    """Return path and number of rows of each institution's table."""
    return ({name: Path(part["path"]) for name, part in prepared.items()},
            {name: int(part["rows"]) for name, part in prepared.items()})


def described(example: Any, prepared: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return what a report says of its data."""
    return {"title": example.title, "source": example.source, "licence": example.licence, "rows": rows,
            "sha256": {name: part["sha256"] for name, part in prepared.items()}}
