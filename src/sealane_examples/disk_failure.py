"""Hard disks of four makers in one data centre: how long do they last?"""

from __future__ import annotations

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="disk-failure",
    sector="manufacturing",
    title="52,249 hard disks of four makers in use at one operator: days until they fail",
    source=(
        "Backblaze, hard drive data to the end of 2014, as hdfail of the R package frailtySurv (Monaco, Gorfine and "
        "Hsu) and repackaged by the Python package SurvSet 0.2.11"
    ),
    licence=(
        "Backblaze: free to use with its name given, not to be sold; frailtySurv: LGPL-2; SurvSet: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="manufacturing.disk-life/v1",
    institutions=("hgst", "hitachi", "seagate", "western-digital"),
    outcome="failed",
    duration="days",
    # Left out: the rate of read errors, which one maker counts in another way than the others. All three are what a
    # disk reported by its end: they go with failure, and this is no forecast of it.
    features=("temperature", "reallocated", "pending"),
    categorical=(),
    purpose="reliability",
)
ROWS = PinnedFile(
    package="SurvSet", version="0.2.11", item="resources/pickles/hdfail.pickle",
    sha256="aa496ae2cc9aea0b6ef0d0d22a91e11b9b85a9d8e317ef678d77830965b8e497",
)
SEED = 2014
"""Chosen before any model was fitted."""
MAKERS = {"HGST": "hgst", "Hitachi": "hitachi", "ST": "seagate", "WDC": "western-digital"}
OTHERS = ("SAMSUNG", "TOSHIBA")
"""The source counts their few disks, 168, with Seagate's: they are left out."""
MOST_DAYS = 3650
"""Of five disks the source has more than ten years of power: no such disk was in use, and they are left out."""


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by maker, and all makers' held-out rows under ``heldout``."""
    rows = ROWS.frame()
    rows = rows[~rows["fac_type"].astype(str).isin(OTHERS) & (rows["time"] <= MOST_DAYS)]
    table = pd.DataFrame({
        "days": rows["time"], "failed": rows["event"], "temperature": rows["num_temp"],
        "reallocated": rows["fac_rsc"].astype("int64"), "pending": rows["fac_psc"].astype("int64"),
        "model": rows["fac_type"].astype(str),
    })
    maker = rows["fac_brand"].astype(str).map(MAKERS)
    fold = held_out(rows["pid"], maker + "/" + table["failed"].astype(str), SEED)
    split = {name: table[(maker == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=maker)[fold]}
