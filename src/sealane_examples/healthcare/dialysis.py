"""Dialysis in five networks of centres: how long do people live on it?"""

from __future__ import annotations

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="dialysis",
    sector="healthcare",
    title="Dialysis in 67 centres, taken as five networks: months from the first treatment to death",
    source=(
        "Dialysis of the R package RcmdrPlugin.survival (M. S. Carvalho and others, Rio de Janeiro), as repackaged by "
        "the Python package SurvSet 0.2.11"
    ),
    licence=(
        "RcmdrPlugin.survival: GPL-2 or later; SurvSet: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="healthcare.dialysis/v1",
    institutions=("network-1", "network-2", "network-3", "network-4", "network-5"),
    outcome="event",
    duration="time",
    # Left out: begin, the calendar month of the first dialysis, by which the end of observation follows.
    features=("age", "cause"),
    categorical=("cause",),
    purpose="clinical-research",
)
ROWS = PinnedFile(
    package="SurvSet",
    version="0.2.11",
    item="resources/pickles/Dialysis.pickle",
    sha256="1c9c99822aec8cb471093da80bdc09c68b3aa29d9c9db39a08b840747eb41a62",
)
SEED = 2002
"""Chosen before any model was fitted."""
CAUSES = {
    "hypert": "hypertension",
    "renal": "renal",
    "diabetes": "diabetes",
    "congen": "congenital",
    "other": "other",
}


def networks(centres: pd.Series[int]) -> pd.Series[str]:
    """Return each row's network: centres in the order of their number, cut where a fifth of all people is reached.

    A centre belongs to the fifth in which its middle person falls, so that no centre is split.
    """
    people = centres.value_counts().sort_index()
    middle = people.cumsum() - people / 2
    fifth = (middle * 5 // len(centres)).astype("int64")
    return centres.map(fifth).map(lambda number: f"network-{number + 1}")


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by network, and all networks' held-out rows under ``heldout``."""
    rows = ROWS.frame()
    table = pd.DataFrame(
        {
            "time": rows["time"].astype("float64"),
            "event": rows["event"],
            "age": rows["num_age"],
            "cause": rows["fac_disease"].astype(str).map(CAUSES),
            "begin": rows["num_begin"],
            "centre": rows["fac_center"].astype(str).astype("int64"),
        }
    )
    network = networks(table["centre"])
    fold = held_out(rows["pid"], network + "/" + table["event"].astype(str), SEED)
    split = {name: table[(network == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=network)[fold]}
