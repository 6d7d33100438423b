"""Write each institution's training rows, and the held-out fold apart from them, as Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT
from sealane_examples.healthcare import made_up
from sealane_examples.written import write_parts

MODULES = {
    "heart-disease": "sealane_examples.healthcare.heart_disease",
    "dialysis": "sealane_examples.healthcare.dialysis",
    "breast-cancer": "sealane_examples.healthcare.breast_cancer",
}
MADE_UP = {example.name: example for example in (made_up.REPORTS, made_up.VISITS)}
# What the rows must be: SHA-256 of each table as CSV (written.canonical_csv).
CONTENT_SHA256: dict[str, dict[str, str]] = {
    "heart-disease": {
        "cleveland": "a6295254ccfa66444efca34e0c550f1dde7ba5b08c622ee975e986102efc4cda",
        "hungary": "b5181ec6a0c3f788937d8ca49e6997a2f48e4957a7ce09877fd04fb19f4521f8",
        "switzerland": "93ece4f8f17c236a6edd677eb6f4b3d048c6c9b41d75edd713884ccc5e625cc8",
        "va-long-beach": "01072077640ece7b6beb5be41f332e02c609875351008fc956e267c0e07fc9f6",
        "heldout": "b41386b6b47b31dce8c8f3b5fbf0cabd6835d058d72bc8eb021534fc464020ce",
    },
    "dialysis": {
        "network-1": "24fda3caa673278461ce81812c3196a01276af015f606b03734f4b1d0b6cb679",
        "network-2": "0ff123e563ed683142336f6b3660dedbfb3794d6e1b66694e7faa4f62ba27348",
        "network-3": "59c9045fbdb3e222b78eed5e849fbd1d7c15cf8fd83468a0f440c021f0c1d146",
        "network-4": "bdf04229845030dc3429d61bd3207f09dafc717ae020edd133923212925876b9",
        "network-5": "e81814c68459ca2277515fbc2990dc2badc40ae8f36205e46de5848e3e6ad627",
        "heldout": "7b4a44a7d34142bed3ad96415fa8f45e47f0c68912829745c397ebe7adc5450e",
    },
    "breast-cancer": {
        "rotterdam-1978-85": "63153b6ff9ee830d72b230dacc7a1798457c71acc348fbe0733a14c9ac585fc6",
        "rotterdam-1986-89": "1a9bc1847e740847566cb9a585441215db6af0e96491daaab488ed9106a488f4",
        "rotterdam-1990-93": "9b35e360fedd3e57da6b830b6176f80474f2ae0b90203c04cb057e8d86b53bc1",
        "gbsg": "c86cb78f2e8bb2d460bc9c33050cc3faba4140d8d0a18590a935601aff26ef31",
        "heldout": "7253ca9379a93d27d5d065e26c421b3ed2cef79b947430d3752b7e826ac7d645",
    },
}


def prepare_made_up(example: Example, directory: Path) -> dict[str, Any]:
    """Write the made-up rows of one example into ``directory`` and describe them; nothing of them is pinned."""
    return {"institutions": described(example, made_up.parts(example), directory, None), "made_up": True}


def described(
    example: Example, parts: Mapping[str, pd.DataFrame], directory: Path, digests: Mapping[str, str] | None
) -> dict[str, dict[str, Any]]:
    """Write tables and describe them, with the number of events in each."""
    return {name: written.to_dict() | {"events": int(parts[name][example.outcome].sum())}
            for name, written in write_parts(parts, directory, digests).items()}


def prepare(name: str, directory: Path) -> dict[str, Any]:
    """Write all files of one example into ``directory`` and describe them.

    Returns:
        ``{"institutions": {name: {path, rows, events, sha256, file_sha256}}, "heldout": {...}}``.

    Raises:
        UnavailableError: the data package is not installed.
        InputError: the source or the output is not what was reviewed.
    """
    if name in MADE_UP:
        return prepare_made_up(MADE_UP[name], directory)
    module = import_module(MODULES[name])
    institutions = described(module.EXAMPLE, module.parts(), directory, CONTENT_SHA256[name])
    fold = institutions.pop(HELD_OUT)
    return {"institutions": institutions, "heldout": fold}
