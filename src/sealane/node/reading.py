"""Reading a source's columns as they lie there. Nothing here quotes a value.

Errors of the readers are never chained: DuckDB, SQLite and PostgreSQL all put the offending row into their messages.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container
from pathlib import Path

from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract
from sealane.node.reading_features import read_features
from sealane.node.reading_fhir import read_fhir
from sealane.node.reading_files import read_csv, read_parquet
from sealane.node.reading_omop import read_omop
from sealane.node.reading_postgresql import read_postgresql
from sealane.node.reading_sqlite import read_sqlite
from sealane.node.sources import Source
from sealane.node.table import Choose, Table

State = tuple[int, int, int]


def read_table(source: Source, choose: Choose, contract: Contract, numeric: Container[str] = ()) -> Table:
    """Read the chosen columns of a source, all rows, as one consistent state.

    Args:
        source: where the rows lie.
        choose: which of its columns.
        contract: whose codes and units a mapping goes by; others read columns as they are.
        numeric: columns of a CSV file that may come as numbers, where they are.

    Raises:
        InputError: missing, unreadable, or it needs an extra that is not installed.
        RefusedError: the file changed while it was read.
        UnavailableError: the database server cannot be reached.
    """
    match source.kind:
        case "csv" | "parquet":
            return _read_file(source, choose, numeric)
        case "sqlite":
            check_file(source.path)
            return read_sqlite(source, choose)
        case "postgresql":
            return read_postgresql(source, choose)
        case "fhir":
            return read_fhir(source, choose, contract)
        case "omop":
            return read_omop(source, choose, contract)
        case "features":
            return read_features(source, choose, contract, _read_file)


def check_file(path: Path) -> os.stat_result:
    """Return the state of a regular file.

    Raises:
        InputError: it is missing, unreadable or no regular file.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise _not_found(path, error) from error
    if not path.is_file():
        raise InputError("dataset.not-found", "the source is no regular file", got=path.name)
    return state


def state_of(path: Path) -> State:
    """Return what changes when a file is written to. Raises as :func:`check_file` does."""
    state = check_file(path)
    return state.st_ino, state.st_size, state.st_mtime_ns


def hash_of(path: Path) -> str:
    """Return SHA-256, hex, over a file's bytes.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _not_found(path, error) from error


def changing(path: Path) -> RefusedError:
    """Return the refusal of a file that somebody writes to."""
    return RefusedError("dataset.changing", "the file changed while it was read", got=path.name,
                        hint="let whatever writes it finish, then try again")


def _read_file(source: Source, choose: Choose, numeric: Container[str] = ()) -> Table:
    path = source.path
    before = state_of(path)
    if set("*?[") & set(source.location):
        # DuckDB takes them as wildcards; it may read this one file only and would fail without saying why.
        raise InputError("dataset.wildcard", "the path holds a character that the reader takes as a wildcard",
                         got=path.name, expected="a path without * ? [", hint="rename the file, or link to it")
    content = hash_of(path)
    names, frame = read_csv(path, choose, numeric) if source.kind == "csv" else read_parquet(path, choose)
    if state_of(path) != before:
        raise changing(path)
    return Table(names, frame, content)


def _not_found(path: Path, error: OSError) -> InputError:
    return InputError("dataset.not-found", "the file cannot be read", got=error.strerror, expected=path.name)
