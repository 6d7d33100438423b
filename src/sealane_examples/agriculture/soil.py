"""Soil of five farms in Brazil: how much clay does the topsoil hold, by relief and what a satellite sees?"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

BANDS = ("b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b09", "b11", "b12")
EXAMPLE = Example(
    name="soil",
    sector="agriculture",
    title="Soil of five farms in Brazil: clay by relief and Sentinel-2 bands",
    source=(
        "LimeSoDa, data sets B.204, G.150, G.104, MG.112 and MGS.101 (Schmidinger and others 2025, Precision liming "
        "soil datasets), as in the Python package LimeSoDa 0.1.5"
    ),
    licence="CC BY-SA 4.0. Read from the installed package on this machine, not shipped with Sealane",
    contract="agriculture.soil-sample/v1",
    institutions=("bahia", "goias-1", "goias-2", "mato-grosso", "mato-grosso-do-sul"),
    outcome="clay",
    features=("altitude", "slope", *BANDS, "ndvi", "gndvi"),
    categorical=(),
    purpose="soil-mapping",
)
IN_PERCENT = "goias-2"
"""The farm whose table is left in per cent, as the package has it. The contract asks for g/kg, and the rows of the
other four are converted here, as their stewards would have done."""
PER_CENT_IN_G_PER_KG = 10.0
CONVERTED = ("clay", "organic_carbon")
SEED = 2025
"""Chosen before any model was fitted: the year of LimeSoDa's paper."""
VERSION = "0.1.5"
FARMS = {
    "bahia": ("B.204", "21683f8919c4fc9468b39461d29e38b8de3fa08938e8fddceb41d9325d5dc3b8"),
    "goias-1": ("G.150", "aa3b56def5667620d92a90c813c601dbd3347a31a646fcc6b01daccbc73618f8"),
    "goias-2": ("G.104", "43610643904e7ccaf771b7cbe76a7ec60bf0137b15942460fb2e3e30ac7c4ce6"),
    "mato-grosso": ("MG.112", "1938323f57248d04461361a94e8baa55d9d28c51ece9871b26dee09ea852dd0a"),
    "mato-grosso-do-sul": ("MGS.101", "6401ad1db1db19ba41c66bd5ad9fc7f85b2a4586b34dde99103a6df872ba30e2"),
}
COLUMNS = ("organic_carbon", "ph", "clay", "altitude", "slope", *BANDS, "ndvi", "gndvi")
"""Of every table, in its order."""
WITH_SENSOR = ("goias-1", "mato-grosso")
SENSOR_COLUMN = 5
"""Place of ERa, apparent electrical resistivity, which only two farms measured; it is left out."""


def farm(name: str) -> pd.DataFrame:
    """Return one farm's rows as the package has them, clay and carbon in per cent."""
    item, digest = FARMS[name]
    file = PinnedFile(package="LimeSoDa", version=VERSION, item=f"data/{item}.npz", sha256=digest)
    # The numbers alone are read: the names of the columns lie in the file as pickles.
    with np.load(io.BytesIO(file.content()), allow_pickle=False) as arrays:
        numbers = arrays["dataset_data"]
    if name in WITH_SENSOR:
        numbers = np.delete(numbers, SENSOR_COLUMN, axis=1)
    rows = pd.DataFrame(numbers, columns=list(COLUMNS))
    return rows.assign(sample_key=[f"{item}/{number}" for number in range(1, len(rows) + 1)])


def in_g_per_kg(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with clay and carbon in the contract's unit."""
    return rows.assign(**{name: (rows[name] * PER_CENT_IN_G_PER_KG).round(6) for name in CONVERTED})


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by farm, one of them in another unit, and all farms' held-out rows under ``heldout``."""
    whole = pd.concat([farm(name).assign(institution=name) for name in EXAMPLE.institutions], ignore_index=True)
    fold = held_out(pd.Series(range(len(whole))), whole["institution"], SEED)
    split: dict[str, pd.DataFrame] = {}
    for name in EXAMPLE.institutions:
        rows = whole[(whole["institution"] == name) & ~fold].drop(columns="institution")
        split[name] = rows if name == IN_PERCENT else in_g_per_kg(rows)
    return {**split, HELD_OUT: in_g_per_kg(whole[fold])}
