"""Write each institution's training rows, and the held-out fold apart from them, as Parquet."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from sealane_examples.agriculture import quotes
from sealane_examples.fold import HELD_OUT
from sealane_examples.written import write_parts

MODULES = {"soil": "sealane_examples.agriculture.soil", "rice": "sealane_examples.agriculture.rice",
           "soybean": "sealane_examples.agriculture.soybean"}
# What the rows must be: SHA-256 of each table as CSV (written.canonical_csv).
CONTENT_SHA256: dict[str, dict[str, str]] = {
    "soil": {
        "bahia": "2dc201f5f8ac1edfefc9c099c7be533eeff10b30e1f17dc53aa21b548912e98f",
        "goias-1": "f5cee05a6daa842a66788078761833e97a9210d2829df58e85fc78f5e109de41",
        "goias-2": "add9a3b19e11bb42033de1617830ff5a1de55ecc31aa1313e9a685a0ff856c07",
        "mato-grosso": "e10b0836b4d1cf781907b36ce8a3f8e818df1eb5354a2483575630ede72e8700",
        "mato-grosso-do-sul": "6e6e3e5ca05b58deb2b5cfa6e1593fcb984eb1c29cc39180d48a31045341195d",
        "heldout": "7d8569ddb10b163d2a9e167cdeaab89027e3d93bbc554a245c193c5cd7ac3867",
    },
    "rice": {
        "ciwangi": "14ba0085ec3c4d838f4cc7e00fa9d6489495641dfa849bade989c944da013431",
        "gunungwangi": "e1388b7a4440e7cb11074d446fa35b7aedaa8dd564c87cc09ad23bc839babbfa",
        "langan": "9a8aa4a211420348c50715daa30133a15c7a9a416223a5391b02548f92f11ab7",
        "malausma": "3da959fb780631550eae248a66613805d399457f6a9f7fd4d485db11ccb971fa",
        "sukaambit": "aca26001563c1dfb25ec851015a5f39bfe71608631cc7fce742f16c1b73cf157",
        "wargabinangun": "f7edb25d9ce83498d01d30e8b85a643b66eb108d5a448676627dfe8871f2ef7b",
        "heldout": "653a5eccc873d08be406ac853022c6e628f921250cbbf398269885872a30f90e",
    },
    "soybean": {
        "station-1": "893bfa65cc4b22b408d756d479d0b6c1ab50529959cc4d783a5abe8170d54cff",
        "station-2": "7fe4fbbda5af9ac4a463c7c567a7cc79834bb513feb6879c4d43b70c2c69a8ff",
        "station-3": "1ad0248735ade835d7f19223f10404508bcc54963ced3b5e44db4b0683cf05cc",
        "station-4": "7d1babbae71d9c85b75f3c2bd46a2526ac67146cda0093ec119a693ff1b4688b",
        "heldout": "35ec7c3060bb99be3f3fa166624083bc0152f5066bdcb58968a462816cba0f67",
    },
}


def prepare(name: str, directory: Path) -> dict[str, Any]:
    """Write all files of one example into ``directory`` and describe them.

    Returns:
        ``{"institutions": {name: {path, rows, sha256, file_sha256}}, "heldout": {...}}``; for made-up rows
        ``"made_up": True`` instead of a fold.

    Raises:
        UnavailableError: the data package is not installed.
        InputError: the source or the output is not what was reviewed.
    """
    if name == quotes.QUOTES.name:
        written = write_parts(quotes.parts(), directory, None)
        return {"institutions": {one: table.to_dict() for one, table in written.items()}, "made_up": True}
    found = write_parts(import_module(MODULES[name]).parts(), directory, CONTENT_SHA256[name])
    described = {one: table.to_dict() for one, table in found.items()}
    fold = described.pop(HELD_OUT)
    return {"institutions": described, "heldout": fold}
