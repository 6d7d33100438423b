"""OMOP CDM 5.4 through a cohort's definition: a folder of CSV or Parquet, a DuckDB file, or PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from sealane.core.canonical import content_hash
from sealane.core.clock import system_clock
from sealane.errors import InputError
from sealane.governance.contract import Contract
from sealane.node.reading_fhir import read_definition
from sealane.node.reading_files import connect, csv_header
from sealane.node.reading_postgresql import fetch, in_transaction, quoted
from sealane.node.sources import Source
from sealane.node.table import Choose, Table, check_names, hash_rows
from sealane.sectors.healthcare.omop.definition import Definition, load_definition
from sealane.sectors.healthcare.omop.sql import COLUMNS, Statements, statements

FORM = "sealane.omop/v1"
"""Part of the content's hash: rows made by another query of the same records are another version."""
MALFORMED = "malformed-record"
Rows = list[tuple[Any, ...]]


def read_omop(source: Source, choose: Choose, contract: Contract) -> Table:
    """Read a cohort into the columns that the source's definition names.

    Raises:
        InputError: the definition is malformed, or a table is missing or unreadable.
        UnavailableError: the database server cannot be reached.
    """
    definition = load_definition(read_definition(source.mapping), contract)
    if definition.as_of > system_clock().date():
        raise InputError("omop.definition-malformed", "the day of the extract lies in the future",
                         got=str(definition.as_of), expected="as_of of today or earlier")
    names = [column.field for column in definition.columns]
    check_names(names, source.location)
    chosen = choose(names)
    if source.remote:
        tables = {table: f"{quoted(source.schema)}.{quoted(table)}" if source.schema else quoted(table)
                  for table in definition.tables}
        rows, counted = in_transaction(source, lambda cursor: _ask(statements(definition, tables),
                                                                   lambda text: fetch(cursor, text)))
    else:
        rows, counted = _read_duckdb(source.path, definition)
    frame = pd.DataFrame(rows, columns=pd.Index(names), dtype=object)[chosen]
    content = content_hash({"form": FORM, "definition": hashlib.sha256(definition.to_bytes()).hexdigest(),
                            "rows": hash_rows(rows)})
    # A covariate that nobody has may be a concept that was mistyped.
    unfilled = tuple(column.field for place, column in enumerate(definition.columns)
                     if column.domain and not any(row[place] for row in rows))
    return Table(names, frame, content.hex(), counted, unfilled)


def _ask(asked: Statements, run: Callable[[str], Rows]) -> tuple[Rows, dict[str, int]]:
    """Return the cohort's rows, and persons and records counted by what became of them."""
    counted = {str(reason): int(number) for reason, number in run(asked.reasons)}
    counted |= {reason: int(run(text)[0][0] or 0) for reason, text in asked.left_out.items()}
    return run(asked.table), {reason: number for reason, number in sorted(counted.items()) if number}


def _read_duckdb(path: Path, definition: Definition) -> tuple[Rows, dict[str, int]]:
    folder = path.is_dir()
    if not folder and not path.is_file():
        raise InputError("dataset.not-found", "there is no such folder or database", got=path.name)
    files = {table: _file(path, table) for table in definition.tables} if folder else {}
    failure, broken = "", 0
    where = path.name
    try:
        with closing(connect(list(files.values()), None if folder else path)) as connection:
            for table, file in files.items():
                where = file.name
                broken += _load(connection, table, file, definition)
            where = path.name
            asked = statements(definition, {table: quoted(table) for table in definition.tables})
            rows, counted = _ask(asked, lambda text: connection.execute(text).fetchall())
            return rows, counted | ({MALFORMED: broken} if broken else {})
    except (duckdb.Error, UnicodeError) as error:
        failure = type(error).__name__
    # Raised out here so that the reader's own message, which may quote a record, is no context of this one.
    raise InputError("dataset.unreadable", f"{where} cannot be read", got=failure,
                     expected="tables of OMOP CDM 5.4: a folder of CSV or Parquet, or a DuckDB file",
                     hint="every line of a CSV has as many fields as its header, in UTF-8")


def _file(folder: Path, table: str) -> Path:
    found = [one for one in sorted(folder.iterdir())
             if one.stem.lower() == table and one.suffix.lower() in (".csv", ".parquet") and one.is_file()]
    if len(found) != 1:
        raise InputError("omop.no-such-table", f"the folder needs one file of the table {table}", got=len(found),
                         expected=f"{table}.csv or {table}.parquet",
                         hint="export it, with its header even where it has no rows")
    if set("*?[") & set(str(found[0])):
        # DuckDB takes them as wildcards; it may read these files only and would fail without saying why.
        raise InputError("dataset.wildcard", "the path holds a character that the reader takes as a wildcard",
                         got=folder.name, expected="a path without * ? [", hint="rename the folder, or link to it")
    return found[0]


def _load(connection: duckdb.DuckDBPyConnection, table: str, path: Path, definition: Definition) -> int:
    """Make a table of the columns needed from a file; return how many records were left out as malformed."""
    if path.suffix.lower() == ".parquet":
        names = [str(column[0]) for column in connection.execute("SELECT * FROM read_parquet(?) LIMIT 0",
                                                                 [str(path)]).description or []]
        origin, values = "read_parquet(?)", [str(path)]
    else:
        names, delimiter = csv_header(path)
        columns = {f"c{index}": "VARCHAR" for index in range(len(names))}
        origin, values = ("read_csv(?, header = true, auto_detect = false, delim = ?, quote = '\"', escape = '\"', "
                          "columns = ?)", [str(path), delimiter, columns])  # type: ignore[list-item]
    places = {name.lower(): index for index, name in enumerate(names)}
    absent = [name for name in COLUMNS[table] if name not in places]
    if absent:
        raise InputError("omop.no-such-column", f"{path.name} lacks columns of OMOP CDM 5.4", got=", ".join(absent),
                         expected=", ".join(COLUMNS[table]))
    texts = {name: f"NULLIF(TRIM(CAST(c{places[name]} AS VARCHAR)), '')" for name in COLUMNS[table]}
    casts = {name: f"TRY_CAST({texts[name]} AS {kind})" for name, kind in COLUMNS[table].items()}
    wanted = ", ".join(f"{cast} AS {name}" for name, cast in casts.items())
    faults = " OR ".join(f"({texts[name]} IS NOT NULL AND {cast} IS NULL)" for name, cast in casts.items())
    aliases = ", ".join(f"c{index}" for index in range(len(names)))
    ancestors = {concept for part in (definition.cohort, definition.outcome, *definition.columns) if part is not None
                 for concept in part.concepts}
    kept = f"WHERE {casts['ancestor_concept_id']} IN ({', '.join(map(str, sorted(ancestors)))})" \
        if table == "concept_ancestor" else ""
    connection.execute(f"CREATE TABLE {table} AS SELECT {wanted}, {faults} AS broken "  # noqa: S608 - our own words
                       f"FROM {origin} AS rows({aliases}) {kept}", values)
    broken = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE broken").fetchone()  # noqa: S608
    connection.execute(f"DELETE FROM {table} WHERE broken")  # noqa: S608
    return int(broken[0]) if broken else 0
