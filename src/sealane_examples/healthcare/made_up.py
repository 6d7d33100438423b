"""Made-up rows for two studies of surveillance: there are no real ones with a licence that lets us name them here.

Nothing that is found in them says anything of a medicine or of a place. What was put in is written down beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sealane_examples.example import Example

SOURCE = "Made up by sealane_examples.healthcare.made_up: no report, visit, medicine or place behind it"
LICENCE = "Apache-2.0, as Sealane"
TRUE_RATIO = 3.0
"""Odds ratio of the reaction of interest with the medicine of interest, as it was put in."""
OUTBREAK_BEGINS = pd.Timestamp("2026-05-11")
"""A Monday: for three weeks visits with the syndrome are twice and a half as many as before."""
OUTBREAK_DAYS = 21
OUTBREAK_FACTOR = 2.5
LAST_DAY = pd.Timestamp("2026-06-28")
WEEKS = 52

REPORTS = Example(
    name="adverse-events",
    sector="healthcare",
    title="Made-up reports of adverse events at four centres",
    source=SOURCE,
    licence=LICENCE,
    contract="healthcare.adverse-event/v1",
    institutions=("centre-1", "centre-2", "centre-3", "centre-4"),
    outcome="reaction_of_interest",
    features=("drug_of_interest",),
    categorical=(),
    purpose="pharmacovigilance",
)
VISITS = Example(
    name="outbreak",
    sector="healthcare",
    title="Made-up visits at four hospitals, with an outbreak of three weeks in May 2026",
    source=SOURCE,
    licence=LICENCE,
    contract="healthcare.encounter/v1",
    institutions=("hospital-1", "hospital-2", "hospital-3", "hospital-4"),
    outcome="event",
    features=("start",),
    categorical=(),
    purpose="public-health-surveillance",
)


def reports(seed: int, number: int = 1500) -> pd.DataFrame:
    """Return one centre's made-up reports."""
    random = np.random.default_rng(seed)
    drug = random.random(number) < 0.08
    odds = 0.05 / 0.95 * np.where(drug, TRUE_RATIO, 1.0)
    return pd.DataFrame({
        "received": LAST_DAY - pd.to_timedelta(random.integers(0, 365, number), unit="D"),
        "drug_of_interest": drug.astype("int64"),
        "reaction_of_interest": (random.random(number) < odds / (1.0 + odds)).astype("int64"),
        "serious": (random.random(number) < 0.2).astype("int64"),
        "reporter": random.choice(["physician", "pharmacist", "other_professional", "patient"], number),
        "age": random.integers(18, 95, number),
        "sex": random.choice(["female", "male"], number),
    })


def visits(seed: int, per_day: float = 30.0, share: float = 0.05) -> pd.DataFrame:
    """Return one hospital's made-up visits of a year; ``event`` marks those with the syndrome of interest."""
    random = np.random.default_rng(seed)
    days = pd.date_range(end=LAST_DAY, periods=7 * WEEKS)
    raised = (days >= OUTBREAK_BEGINS) & (days < OUTBREAK_BEGINS + pd.Timedelta(days=OUTBREAK_DAYS))
    ill = random.poisson(per_day * share * np.where(raised, OUTBREAK_FACTOR, 1.0))
    other = random.poisson(per_day * (1.0 - share), len(days))
    event = np.concatenate([np.repeat(1, ill.sum()), np.repeat(0, other.sum())])
    start = np.concatenate([np.repeat(days.to_numpy(), ill), np.repeat(days.to_numpy(), other)])
    return pd.DataFrame({
        "start": start,
        "class": random.choice(["AMB", "EMER", "IMP"], len(event)),
        "age": random.integers(0, 95, len(event)),
        "sex": random.choice(["female", "male"], len(event)),
        "event": event,
    })


def parts(example: Example) -> dict[str, pd.DataFrame]:
    """Return each institution's rows; nobody trains on these, so none are held out."""
    make = reports if example.name == REPORTS.name else visits
    return {name: make(seed) for seed, name in enumerate(example.institutions)}
