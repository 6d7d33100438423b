"""CSV and Parquet through DuckDB: one file, no extension, no spilling to disk, no names taken from the data in SQL."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pandas as pd

from sealane.errors import InputError
from sealane.node.table import MISSING_TEXTS, Choose, check_names

HEADER_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")
CSV = "read_csv(?, header = true, auto_detect = false, delim = ?, quote = '\"', escape = '\"', columns = ?)"
_MISSING = ", ".join(f"'{text}'" for text in MISSING_TEXTS)
NUMBER = f"""CASE WHEN TRY_CAST({{0}} AS DOUBLE) IS NULL OR isnan(TRY_CAST({{0}} AS DOUBLE))
    THEN CASE WHEN {{0}} IS NULL OR trim({{0}}) IN ({_MISSING}) THEN NULL ELSE 'inf'::DOUBLE END
    WHEN contains({{0}}, '_') OR contains({{0}}, '+-') THEN 'inf'::DOUBLE ELSE TRY_CAST({{0}} AS DOUBLE) END"""
"""A text as the number that it is, NULL where it is missing, and infinity for whatever needs a closer look.

What DuckDB takes for a number and Python does not, such as ``+-4``, and what both take and no data format writes, such
as ``1_000``, are among the latter.
"""
PARQUET = "read_parquet(?)"
VECTOR = 2048
"""Rows that DuckDB hands over at once: chunks are so many times as many."""
T = TypeVar("T")


def read_csv(path: Path, choose: Choose, numeric: Container[str] = ()) -> tuple[list[str], pd.DataFrame]:
    """Read a CSV file (RFC 4180; comma, semicolon, tab or bar; UTF-8; a header), every value as text.

    Types come from the data contract, not from guesses over the first rows, so nothing is guessed here.

    Args:
        path: of the file.
        choose: which columns.
        numeric: those that come as float64 where each value is a number or missing, which is several times faster.

    Raises:
        InputError: not such a file.
    """
    names, options = _csv(path)
    chosen = choose(names)
    fast = [name for name in chosen if name in numeric]
    frame = _select(path, names, chosen, CSV, options, fast)
    odd = [name for name in fast if np.isinf(frame[name].to_numpy()).any()]
    if odd:
        frame[odd] = _select(path, names, odd, CSV, options)
    return names, frame


def read_parquet(path: Path, choose: Choose) -> tuple[list[str], pd.DataFrame]:
    """Read a Parquet file, values as it types them.

    Raises:
        InputError: not such a file.
    """
    names = _parquet(path)
    return names, _select(path, names, choose(names), PARQUET, [])


def read_chunks(path: Path, kind: str, chosen: list[str], size: int) -> Iterator[pd.DataFrame]:
    """Yield the chosen columns of a CSV or Parquet file, at least one and about so many rows at a time, in order.

    Raises:
        InputError: not such a file.
    """
    names, options = _csv(path) if kind == "csv" else (_parquet(path), [])
    statement = _statement(names, chosen, CSV if kind == "csv" else PARQUET)
    with closing(connect([path])) as connection:
        _asked(path, statement, lambda: connection.execute(statement, [str(path), *options]))
        while True:
            chunk = _asked(path, statement, lambda: connection.fetch_df_chunk(-(-size // VECTOR)))
            if not len(chunk):
                return
            yield chunk


def _csv(path: Path) -> tuple[list[str], list[Any]]:
    names, delimiter = csv_header(path)
    # Our own names c0, c1, … stand for the file's, so that no name from the file gets into the statement.
    return names, [delimiter, {f"c{index}": "VARCHAR" for index in range(len(names))}]


def _parquet(path: Path) -> list[str]:
    schema = _run(path, "SELECT name, num_children FROM parquet_schema(?)", [str(path)])
    counts = schema["num_children"].fillna(0).astype(int)
    names = top_level(list(zip(map(str, schema["name"]), map(int, counts), strict=True)))
    check_names(names, path.name)
    return names


def _select(path: Path, names: list[str], chosen: list[str], table: str, options: list[Any],
            numeric: Container[str] = ()) -> pd.DataFrame:
    if not chosen:
        return pd.DataFrame()
    frame = _run(path, _statement(names, chosen, table, numeric), [str(path), *options])
    frame.columns = pd.Index(chosen)
    return frame


def _statement(names: list[str], chosen: list[str], table: str, numeric: Container[str] = ()) -> str:
    aliases = ", ".join(f"c{index}" for index in range(len(names)))
    wanted = ", ".join((NUMBER if name in numeric else "{0}").format(f"c{names.index(name)}") for name in chosen)
    return f"SELECT {wanted} FROM {table} AS rows({aliases})"  # noqa: S608 - only our own c0, c1, …


def _run(path: Path, statement: str, values: list[Any]) -> pd.DataFrame:
    with closing(connect([path])) as connection:
        return _asked(path, statement, lambda: connection.execute(statement, values).df())


def _asked(path: Path, statement: str, ask: Callable[[], T]) -> T:
    """Return what DuckDB says to something.

    Raises:
        InputError: the file is not what it seems.
    """
    try:
        return ask()
    except (duckdb.Error, UnicodeError) as error:
        line = re.search(r"CSV Error on Line: (\d+)", str(error))
        failure = (type(error).__name__, f" at line {line[1]}" if line else "")
    # Raised out here so that the reader's own message, which quotes the row, is no context of this one.
    raise InputError("dataset.unreadable", f"{path.name} cannot be read{failure[1]}", got=failure[0],
                     expected=f"a sound {path.suffix.lstrip('.').upper()} file",
                     hint="every line of a CSV has as many fields as its header, in UTF-8 and at most 2 MB"
                     if "read_csv" in statement else "write the file again, or name a CSV with the suffix .csv")


def connect(paths: Sequence[Path], database: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection that reads these files and nothing else: in memory, or to a database's file, read-only."""
    connection = duckdb.connect(":memory:" if database is None else str(database),
                                read_only=database is not None, config={
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
        "temp_directory": "",  # rows are never spilled to a disk that nobody protects
    })
    connection.execute("SET allowed_paths = ?", [[str(path) for path in paths]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def csv_header(path: Path) -> tuple[list[str], str]:
    """Return the column names and the delimiter: whichever of the four splits the header into most names."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        text = head.decode("utf-8-sig", "strict" if len(head) < HEADER_BYTES else "replace")
        parsed = {delimiter: next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])
                  for delimiter in DELIMITERS}
    except (UnicodeDecodeError, csv.Error):
        parsed = {}
    if not parsed:
        raise InputError("dataset.unreadable", f"the header of {path.name} cannot be read",
                         expected="UTF-8 text with a line of column names", hint="convert the file to UTF-8")
    delimiter = max(DELIMITERS, key=lambda one: len(parsed[one]))
    check_names(parsed[delimiter], path.name)
    return parsed[delimiter], delimiter


def top_level(schema: Sequence[tuple[str, int]]) -> list[str]:
    """Return the names of a Parquet schema's columns; it lists the tree depth first, its root ahead."""
    names: list[str] = []
    skip = 0
    for name, children in schema[1:]:
        if skip:
            skip += children - 1
        else:
            names.append(name)
            skip = children
    return names
