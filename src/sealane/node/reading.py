"""Reading a source's columns as they lie there. Nothing here quotes a value.

Errors of the readers are never chained: DuckDB, SQLite and PostgreSQL all put the offending row into their messages.
"""

from __future__ import annotations

import hashlib
import os
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


def read_table(source: Source, choose: Choose, contract: Contract) -> Table:
    """Read the chosen columns of a source, all rows, as one consistent state.

    Args:
        source: where the rows lie.
        choose: which of its columns.
        contract: whose codes and units a mapping goes by; others read columns as they are.

    Raises:
        InputError: missing, unreadable, or it needs an extra that is not installed.
        RefusedError: the file changed while it was read.
        UnavailableError: the database server cannot be reached.
    """
    match source.kind:
        case "csv" | "parquet":
            return _read_file(source, choose)
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
        raise InputError("dataset.not-found", "the file cannot be read", got=error.strerror,
                         expected=path.name) from error
    if not path.is_file():
        raise InputError("dataset.not-found", "the source is no regular file", got=path.name)
    return state


def _read_file(source: Source, choose: Choose) -> Table:
    path = source.path
    before = check_file(path)
    if set("*?[") & set(source.location):
        # DuckDB takes them as wildcards; it may read this one file only and would fail without saying why.
        raise InputError("dataset.wildcard", "the path holds a character that the reader takes as a wildcard",
                         got=path.name, expected="a path without * ? [", hint="rename the file, or link to it")
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError("dataset.not-found", "the file cannot be read", got=error.strerror,
                         expected=path.name) from error
    names, frame = (read_csv if source.kind == "csv" else read_parquet)(path, choose)
    after = check_file(path)
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (after.st_ino, after.st_size, after.st_mtime_ns):
        raise RefusedError("dataset.changing", "the file changed while it was read", got=path.name,
                           hint="let whatever writes it finish, then try again")
    return Table(names, frame, content)
