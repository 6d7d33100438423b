"""Made-up card transactions with a known hundredth of odd ones, for scores that know no labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sealane.governance.contract import Contract, Field

FEATURES = ["amount", "count_1d", "hour", "hours_since_last", "amount_z_30d", "cross_border"]
CONTRACT = Contract(id="test.cards/v1", fields=(
    Field(name="amount", type="number", minimum=0, maximum=1_000_000),
    Field(name="count_1d", type="integer", minimum=0, maximum=1_000_000),
    Field(name="hour", type="integer", minimum=0, maximum=23),
    Field(name="hours_since_last", type="number", minimum=0, maximum=1_000_000, nullable=True),
    Field(name="amount_z_30d", type="number", minimum=-1_000_000, maximum=1_000_000),
    Field(name="cross_border", type="boolean", minimum=0, maximum=1),
    Field(name="label", type="category", allowed=("a",)), Field(name="open", type="number")))


def card_rows(seed: int, rows: int = 6000, odd: float = 0.01) -> tuple[pd.DataFrame, np.ndarray]:
    """Return features, and which rows are odd: larger, denser, at night, abroad, but none of it alone."""
    rng = np.random.default_rng([11, seed])
    fraud = rng.random(rows) < odd
    night = rng.normal(np.where(fraud, 3, 14), 4, rows).clip(0, 23).round()
    frame = pd.DataFrame({
        "amount": rng.lognormal(np.where(fraud, 4.8, 3.5), np.where(fraud, 1.2, 1.0), rows).round(2),
        "count_1d": rng.poisson(np.where(fraud, 6, 2), rows), "hour": night.astype(int),
        "hours_since_last": rng.exponential(np.where(fraud, 3.0, 20.0), rows),
        "amount_z_30d": rng.normal(np.where(fraud, 1.8, 0.0), np.where(fraud, 1.5, 1.0), rows),
        "cross_border": (rng.random(rows) < np.where(fraud, 0.4, 0.05)).astype(int)})
    return frame, fraud
