"""Made-up quotes of three markets: no real price panel with a clean licence is installable.

Nothing that is found in them says anything of a price or a pest. What was put in is written down beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sealane_examples.example import Example

JUMP_BEGINS = pd.Timestamp("2026-04-06")
"""A Monday: from here on quotes lie a fifth above those of four weeks before two and a half times as often."""
PEST_BEGINS = pd.Timestamp("2026-05-11")
"""A Monday: for three weeks lots with a pest are three times as many."""
PEST_DAYS = 21
JUMP_FACTOR, PEST_FACTOR = 2.5, 3.0
LAST_DAY = pd.Timestamp("2026-06-28")
WEEKS = 52

QUOTES = Example(
    name="quotes",
    sector="agriculture",
    title="Market quotes (made up): three markets, with a jump of prices from 6 April 2026 and a pest from 11 May",
    source="Made up by sealane_examples.agriculture.quotes: no market, price or pest behind it",
    licence="Apache-2.0, as Sealane",
    contract="agriculture.market-price/v1",
    institutions=("market-north", "market-south", "market-west"),
    outcome="jump",
    features=("date",),
    categorical=(),
    purpose="market-monitoring",
)


def quotes(seed: int, per_day: float = 40.0, jumps: float = 0.04, pests: float = 0.03) -> pd.DataFrame:
    """Return one market's made-up quotes of a year."""
    random = np.random.default_rng(seed)
    days = pd.date_range(end=LAST_DAY, periods=7 * WEEKS)
    day = np.repeat(days.to_numpy(), random.poisson(per_day, len(days)))
    dear = day >= JUMP_BEGINS.to_datetime64()
    infested = (day >= PEST_BEGINS.to_datetime64()) & (
        day < (PEST_BEGINS + pd.Timedelta(days=PEST_DAYS)).to_datetime64())
    before = random.lognormal(1.2, 0.15, len(day)).round(2)
    jump = random.random(len(day)) < jumps * np.where(dear, JUMP_FACTOR, 1.0)
    rise = np.where(jump, random.uniform(0.21, 0.5, len(day)), random.uniform(-0.15, 0.18, len(day)))
    return pd.DataFrame({
        "market_key": f"market-{seed}",
        "date": day,
        "kind": random.choice(["vegetable", "fruit", "grain"], len(day)),
        "price": (before * (1.0 + rise)).round(2),
        "price_before": before,
        "quantity": random.integers(50, 5000, len(day)).astype("float64"),
        "stage": "wholesale",
        "jump": jump.astype("int64"),
        "pest_sighted": (random.random(len(day)) < pests * np.where(infested, PEST_FACTOR, 1.0)).astype("int64"),
    })


def parts(example: Example = QUOTES) -> dict[str, pd.DataFrame]:
    """Return each market's quotes; nobody trains on these, so none are held out."""
    return {name: quotes(seed) for seed, name in enumerate(example.institutions)}
