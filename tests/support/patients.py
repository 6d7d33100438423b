"""Made-up patients that fit ``healthcare.survival/v1``, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sealane.sectors.registry import contract

CONTRACT = "healthcare.survival/v1"


def patients(seed: int, rows: int = 400) -> pd.DataFrame:
    """Return a table in which age, stage and treatment move the time to an event, shape (rows, fields of the contract).

    Rows are followed for at most two years; some enter late, and an event is of kind 1 or 2.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 85, rows)
    stage = rng.choice(["I", "II", "III", "IV"], rows, p=[0.3, 0.3, 0.25, 0.15])
    treated = rng.integers(0, 2, rows)
    hazard = np.exp(0.03 * (age - 60) + 0.4 * (stage == "III") + 0.8 * (stage == "IV") - 0.5 * treated) / 500
    dies, leaves = rng.exponential(1 / hazard), rng.uniform(100, 730, rows)
    time = np.maximum(np.minimum(dies, leaves), 1).round(0)
    event = (dies <= leaves).astype(int)
    entry = np.where(rng.random(rows) < 0.2, np.floor(time * 0.3), 0.0)
    columns: dict[str, object] = {
        "person": [f"p{seed}-{k}" for k in range(rows)], "start": entry, "time": time, "event": event,
        "event_kind": np.where(event == 1, rng.integers(1, 3, rows), 0),
        "index_date": [str(day) for day in np.datetime64("2021-01-04") + rng.integers(0, 350, rows)],
        "age": age, "sex": rng.choice(["female", "male"], rows),
        "arm": np.where(treated == 1, "treated", "control"), "stage": stage, "comorbidities": rng.poisson(1.2, rows),
        "diagnosis": "C50", "body_mass_index": rng.normal(26, 4, rows).clip(16, 45).round(1),
        "creatinine": rng.lognormal(0.0, 0.25, rows).round(2), "haemoglobin": rng.normal(13.5, 1.4, rows).round(1),
    }
    return pd.DataFrame({field.name: columns[field.name] for field in contract(CONTRACT).fields})


def write_patients(directory: Path, names: list[str], rows: int = 400) -> dict[str, Path]:
    """Write one CSV file per institution and return the paths by name."""
    paths = {name: directory / f"{name}.csv" for name in names}
    for seed, path in enumerate(paths.values()):
        patients(seed, rows).to_csv(path, index=False)
    return paths
