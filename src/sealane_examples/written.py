"""Tables as Parquet files, and the digest of what can be read back from them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from sealane.errors import InputError


@dataclass(frozen=True, slots=True)
class Written:
    """One file that was written: ``sha256`` is that of its rows, ``file_sha256`` that of its bytes."""

    path: Path
    rows: int
    sha256: str
    file_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {"path": str(self.path), "rows": self.rows, "sha256": self.sha256, "file_sha256": self.file_sha256}


def write_parquet(table: pd.DataFrame, path: Path) -> Written:
    """Write the table and hash what can be read back."""
    with duckdb.connect(config={"threads": 1, "preserve_insertion_order": True}) as connection:
        connection.register("given", table)
        target = str(path).replace("'", "''")
        connection.execute(f"COPY (SELECT * FROM given) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
    return Written(
        path=path,
        rows=len(table),
        sha256=hashlib.sha256(canonical_csv(path)).hexdigest(),
        file_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def write_parts(
    parts: Mapping[str, pd.DataFrame], directory: Path, digests: Mapping[str, str] | None
) -> dict[str, Written]:
    """Write each table as ``NAME.parquet``, holding its rows against the pinned digest; None where nothing is pinned.

    Raises:
        InputError: rows are not the reviewed ones.
    """
    directory.mkdir(parents=True, exist_ok=True)
    found: dict[str, Written] = {}
    for name, table in parts.items():
        found[name] = write_parquet(table, directory / f"{name}.parquet")
        if digests is not None:
            check_digest("rows", name, found[name].sha256, digests[name])
    return found


def canonical_csv(path: Path) -> bytes:
    """Return a Parquet file's table as CSV: a header, rows in file order, floats in their shortest exact form."""
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in result.description or []]
        rows = result.fetchall()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([repr(value) if isinstance(value, float) else value for value in row] for row in rows)
    return text.getvalue().encode("utf-8")


def check_digest(what: str, name: str, found: str, expected: str) -> None:
    """Hold a digest against the pinned one.

    Raises:
        InputError: it is another.
    """
    if found != expected:
        raise InputError(
            "example.output-changed",
            f"the {what} written for {name} are not the reviewed ones",
            got=found,
            expected=expected,
            hint="the versions in constraints.txt give the reviewed files",
        )


def read_part(directory: Path, name: str, example: str) -> pd.DataFrame:
    """Return one prepared table.

    Raises:
        InputError: it is not there or not readable.
    """
    path = directory / f"{name}.parquet"
    try:
        with duckdb.connect() as connection:
            return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).df()
    except duckdb.Error as error:
        raise InputError(
            "example.part-unreadable",
            f"{path.name} cannot be read",
            got=type(error).__name__,
            hint=f"run: python -m sealane_examples {example} prepare DIR",
        ) from error
