"""Made-up loan applications that fit ``finance.credit-application/v1``, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sealane.sectors.registry import contract

CONTRACT = "finance.credit-application/v1"
FEATURES = ("int_rate", "annual_inc", "term", "verification_status", "inq_last_6mths")


def loans(seed: int, rows: int = 300) -> pd.DataFrame:
    """Return a table whose outcome depends on rate, income and inquiries, shape (rows, fields of the contract)."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for field in contract(CONTRACT).fields:
        if field.type == "category":
            columns[field.name] = rng.choice(field.allowed or [], rows)
        elif field.type in ("integer", "boolean"):
            columns[field.name] = rng.integers(0, 4 if field.type == "integer" else 2, rows)
        else:
            columns[field.name] = rng.uniform(field.minimum or 0, (field.maximum or 1) / 10, rows).round(2)
    columns["int_rate"] = rng.uniform(5, 25, rows).round(2)
    columns["annual_inc"] = rng.uniform(2e4, 2e5, rows).round(2)
    score = 0.12 * np.asarray(columns["int_rate"]) - 6e-6 * np.asarray(columns["annual_inc"])
    columns["bad"] = (rng.random(rows) < 1 / (1 + np.exp(1.5 - score))).astype(int)
    return pd.DataFrame(columns)


def write_loans(directory: Path, names: list[str], rows: int = 300) -> dict[str, Path]:
    """Write one CSV file per institution and return the paths by name."""
    paths = {name: directory / f"{name}.csv" for name in names}
    for seed, path in enumerate(paths.values()):
        loans(seed, rows).to_csv(path, index=False)
    return paths
