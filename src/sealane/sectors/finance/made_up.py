"""Made-up loan applications under ``finance.credit-application/v1``: no person and no lender is behind any row."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from sealane.governance.contract import Field

CONTRACT = "finance.credit-application/v1"
SEED = 20_261
ROWS = 600
FEATURES = ("int_rate", "annual_inc", "term", "verification_status", "inq_last_6mths")


def write_made_up_loans(
    directory: Path, names: Sequence[str], *, seed: int = SEED, rows: int = ROWS
) -> dict[str, Path]:
    """Write one CSV file per institution, the same for the same seed, and return the paths by name."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = {name: directory / f"{name}.csv" for name in names}
    for number, path in enumerate(paths.values()):
        columns = made_up_loans(seed + number, rows)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    return paths


def made_up_loans(seed: int, rows: int = ROWS) -> dict[str, list[Any]]:
    """Return columns by name, one for each field of the contract; rate, income and inquiries move the outcome."""
    import numpy as np

    from sealane.sectors.registry import contract

    rng = np.random.default_rng(seed)
    columns = {field.name: _column(rng, field, rows) for field in contract(CONTRACT).fields}
    rate = rng.uniform(5, 25, rows).round(2)
    income = rng.lognormal(11.0, 0.5, rows).round(0)
    inquiries = rng.poisson(0.8, rows)
    risk = 0.13 * rate - 8e-6 * income + 0.3 * inquiries - 2.6
    bad = rng.random(rows) < 1 / (1 + np.exp(-risk))
    made: dict[str, np.ndarray[Any, Any]] = {
        "int_rate": rate, "annual_inc": income, "inq_last_6mths": inquiries, "bad": bad.astype(int)}
    return {name: column.tolist() for name, column in (columns | made).items()}


def _column(rng: np.random.Generator, field: Field, rows: int) -> np.ndarray[Any, Any]:
    """Return values that the field allows, and that mean nothing."""
    if field.type == "category":
        return rng.choice(field.allowed or [], rows)
    if field.type == "integer":
        return rng.integers(0, 5, rows)
    if field.type == "boolean":
        return rng.integers(0, 2, rows)
    return rng.uniform(field.minimum or 0, (field.maximum or 1) / 10, rows).round(2)
