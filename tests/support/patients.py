"""Made-up patients that fit ``healthcare.heart-disease/v1``, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sealane.sectors.registry import contract

CONTRACT = "healthcare.heart-disease/v1"


def patients(seed: int, rows: int = 400) -> pd.DataFrame:
    """Return a table whose disease depends on age, cholesterol and chest pain, shape (rows, fields of the contract)."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for field in contract(CONTRACT).fields:
        if field.type == "category":
            columns[field.name] = rng.choice((field.allowed or [])[:3], rows)
        elif field.type in ("integer", "boolean"):
            columns[field.name] = rng.integers(0, 4 if field.type == "integer" else 2, rows)
        else:
            columns[field.name] = rng.uniform(80, 180, rows).round(1)
    columns["sex"] = rng.choice(["female", "male"], rows)
    columns["age"] = rng.integers(30, 80, rows)
    columns["cholesterol"] = rng.normal(230, 40, rows).clip(100, 500).round(0)
    columns["st_depression"] = rng.exponential(1.0, rows).clip(0, 6).round(1)
    score = 0.05 * (np.asarray(columns["age"]) - 55) + 0.5 * np.asarray(columns["st_depression"])
    score = score + (np.asarray(columns["chest_pain"]) == "typical_angina") * 0.8 - 0.7
    columns["disease"] = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    return pd.DataFrame(columns)


def write_patients(directory: Path, names: list[str], rows: int = 400) -> dict[str, Path]:
    """Write one CSV file per institution and return the paths by name."""
    paths = {name: directory / f"{name}.csv" for name in names}
    for seed, path in enumerate(paths.values()):
        patients(seed, rows).to_csv(path, index=False)
    return paths
