"""Write each institution's training rows, and the held-out fold apart from them, as Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from sealane.errors import InputError
from sealane_examples.finance.source import load_loans
from sealane_examples.finance.split import SEED, assign_regions
from sealane_examples.fold import HELD_OUT, held_out
from sealane_examples.written import Written, check_digest, write_parquet

# What the rows must be, whatever wrote the file: SHA-256 of the table as CSV (written.canonical_csv). Checked always.
CONTENT_SHA256 = {
    "midwest": "a00d14264d8a511623f889cec385dd3dc52d883653691e77d336093e6fdc0535",
    "northeast": "4447c3c04624fce266972d9af72c32e09f79a7c9c80ba3fd41224e67def9c117",
    "south": "78877e4e98ee8181795698ead9a300f89debfda545ac2777fe51de2cd775e3ee",
    "west": "3a45f52329e7e69bd7f46103a8255613288038d9af4d26ce35dd70e823d0b637",
    "heldout": "9e4f719a1eefe692b1db4c6c15bd78ef6e2804752948d471a563c58fe4c6826b",
}
# What the file must be, byte for byte. Parquet names its writer and leaves the encoding to it, so these hold for one
# version of DuckDB (one thread, one row group order) and are checked under that version only.
FILE_SHA256_DUCKDB = "2.0.0"
FILE_SHA256 = {
    "midwest": "ff0be9d3a7d882adca7f4f6741eb808daf564f8b488f838bb629054a8692657f",
    "northeast": "62d912939f1851e7b9455a5a43723b8bd0e259df1656c80150b94cd074b5ff04",
    "south": "3f92f3d9d7a4c3d57f853102d76465304bdb0b38a549248f63e4448c73caf0f6",
    "west": "cfc6a0196872553b41ace1c46d2f04de9f8bf92abcc8d8e90f79ab42207644fa",
    "heldout": "2a28afc3f6b3d42c96e3e9d78f17442085c9dc46e6cd267ab90d36af0938c3e9",
}


def split_loans(loans: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the training rows by region, and all regions' held-out rows under ``heldout``.

    The loan's number goes, ``Class`` becomes ``bad`` (1 for bad, 0 for good); other columns keep names and order.
    """
    outcome = loans["Class"].astype(str)
    if not outcome.isin(["bad", "good"]).all():
        raise InputError("example.source-changed", "an outcome is neither bad nor good")
    regions = assign_regions(loans["addr_state"])
    fold = held_out(loans["rownames"], regions + "/" + outcome, SEED)
    table = loans.drop(columns=["rownames", "Class"]).assign(bad=(outcome == "bad").astype("int64"))
    parts = {region: table[(regions == region) & ~fold] for region in sorted(set(regions))}
    return {**parts, HELD_OUT: table[fold]}


def check_written(name: str, written: Written) -> None:
    """Hold one file against the pinned digests.

    Raises:
        InputError: the rows, or under the pinned DuckDB the bytes, are others.
    """
    check_digest("rows", name, written.sha256, CONTENT_SHA256[name])
    if duckdb.__version__ == FILE_SHA256_DUCKDB:
        check_digest("bytes", name, written.file_sha256, FILE_SHA256[name])


def prepare(directory: Path) -> dict[str, Any]:
    """Write all files into ``directory`` and describe them.

    Returns:
        ``{"regions": {name: {path, rows, bad, sha256, file_sha256}}, "heldout": {...}}``.

    Raises:
        UnavailableError: the data package is not installed.
        InputError: the source or the output is not what was reviewed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    described = {}
    for name, table in split_loans(load_loans()).items():
        written = write_parquet(table, directory / f"{name}.parquet")
        check_written(name, written)
        described[name] = written.to_dict() | {"bad": int(table["bad"].sum())}
    fold = described.pop(HELD_OUT)
    return {"regions": described, "heldout": fold}
