"""Who holds which loan, and which loans nobody trains on."""

from __future__ import annotations

import pandas as pd

from sealane.errors import InputError

SEED = 2016
"""Chosen before any model was fitted: the year of the loans."""

# The four regions of the US Census Bureau, by postal code; the District of Columbia belongs to the South.
STATES = {
    "midwest": "IA IL IN KS MI MN MO ND NE OH SD WI",
    "northeast": "CT MA ME NH NJ NY PA RI VT",
    "south": "AL AR DC DE FL GA KY LA MD MS NC OK SC TN TX VA WV",
    "west": "AK AZ CA CO HI ID MT NM NV OR UT WA WY",
}
REGION_OF = {state: region for region, states in STATES.items() for state in states.split()}


def assign_regions(states: pd.Series[str]) -> pd.Series[str]:
    """Return each row's census region.

    Raises:
        InputError: a state is in none of them.
    """
    regions = states.map(REGION_OF)
    if regions.isna().any():
        unknown = sorted(set(states[regions.isna()].astype(str)))
        raise InputError("example.unknown-state", "a state belongs to no census region", got=", ".join(unknown[:5]))
    return regions

