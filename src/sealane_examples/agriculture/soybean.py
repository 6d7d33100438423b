"""Soybean plants with one of 19 diseases, dealt out to four stations: which disease is it?"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from sealane.errors import UnavailableError
from sealane.sectors.registry import contract
from sealane_examples.agriculture.r_data import data_frame
from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

SYMPTOMS = (
    "date", "plant_stand", "precip", "temp", "hail", "crop_hist", "area_dam", "sever", "seed_tmt", "germ",
    "plant_growth", "leaves", "leaf_halo", "leaf_marg", "leaf_size", "leaf_shread", "leaf_malf", "leaf_mild", "stem",
    "lodging", "stem_cankers", "canker_lesion", "fruiting_bodies", "ext_decay", "mycelium", "int_discolor", "sclerotia",
    "fruit_pods", "fruit_spots", "seed", "mold_growth", "seed_discolor", "seed_size", "shriveling", "roots",
)
EXAMPLE = Example(
    name="soybean",
    sector="agriculture",
    title="Soybean plants: which of 19 diseases, by 35 symptoms",
    source=(
        "UCI soybean data (Michalski and Chilausky 1980), as in the R package mlbench 2.1-3.1, Debian's r-cran-mlbench"
    ),
    licence=(
        "UCI: CC BY 4.0; mlbench: GPL-2. Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="agriculture.soybean-disease/v1",
    institutions=("station-1", "station-2", "station-3", "station-4"),
    outcome="disease",
    features=SYMPTOMS,
    categorical=SYMPTOMS,
    purpose="plant-health",
)
ITEM = "mlbench/data/Soybean.rda"
SHA256 = "0f879952da961c845724bebecca44cd57ebbc60f22f7b3c0b6bf72812aafe842"
LIBRARIES = ("/usr/lib/R/site-library", "/usr/local/lib/R/site-library", "/usr/lib/R/library")
SEED = 1980
"""Chosen before any model was fitted: the year of the paper."""


def file() -> Path:
    """Return where R's packages lie on this machine: in R's own variables, or where Debian puts them.

    Raises:
        UnavailableError: the package is not there.
    """
    named = [os.environ.get(name, "") for name in ("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER")]
    for folder in [*(one for names in named for one in names.split(":") if one), *LIBRARIES]:
        if (path := Path(folder, ITEM)).is_file():
            return path
    raise UnavailableError("example.data-missing", "the R package mlbench is not installed",
                           hint="apt-get install r-cran-mlbench; no Python package has these rows")


def table() -> pd.DataFrame:
    """Return all rows under the contract's names and levels."""
    pinned = PinnedFile(package="mlbench", version="2.1-3.1", item=ITEM, sha256=SHA256)
    rows = data_frame(pinned.content(file()), "Soybean")
    fields = contract(EXAMPLE.contract)
    found = {"disease": rows["Class"].map(disease)}
    for name in SYMPTOMS:
        # Codes count from 0, in the order in which the contract lists their levels.
        levels = {str(code): level for code, level in enumerate(fields.field(name).allowed)}
        found[name] = rows[name.replace("_", ".")].map(levels)
    return pd.DataFrame(found)


def disease(name: str) -> str:
    """Return the contract's word for a disease."""
    words = name.replace("alternarialeaf", "alternaria-leaf").replace("&", "and")
    return words.replace("-", "_")


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by station, dealt out in turn, and the held-out rows under ``heldout``."""
    whole = table()
    number = pd.Series(range(len(whole)))
    fold = held_out(number, whole["disease"], SEED)
    split = {name: whole[(number % len(EXAMPLE.institutions) == place) & ~fold]
             for place, name in enumerate(EXAMPLE.institutions)}
    return {**split, HELD_OUT: whole[fold]}
