"""FHIR files through their mapping: a folder of NDJSON and bundles, or one such file, read once from begin to end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd

from sealane.core.canonical import content_hash
from sealane.core.clock import system_clock
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract
from sealane.node.sources import Source
from sealane.node.table import Choose, Table, check_names
from sealane.sectors.healthcare.fhir.mapping import load_fhir_mapping
from sealane.sectors.healthcare.fhir.resources import CUT_OFF, NO_RESOURCE, NOT_JSON, Resource, entries, lines
from sealane.sectors.healthcare.fhir.rows import Rows

FORM = "sealane.fhir/v1"
"""Part of the content's hash: rows made by another reading of the same files are another version."""
SUFFIXES = (".ndjson", ".json")
MAXIMUM_FILES = 100_000


def read_fhir(source: Source, choose: Choose, contract: Contract) -> Table:
    """Read FHIR files into the columns that the source's mapping names.

    Raises:
        InputError: the mapping is malformed, or a file is unreadable as a whole.
        RefusedError: a file changed while it was read.
    """
    mapping = load_fhir_mapping(read_definition(source.mapping), contract)
    if mapping.as_of > system_clock().date():
        raise InputError("fhir.mapping-malformed", "the day of the export lies in the future", got=str(mapping.as_of),
                         expected="as_of of today or earlier")
    names = [column.field for column in mapping.columns]
    check_names(names, source.location)
    chosen = choose(names)
    rows = Rows(mapping)
    hashes = [[path.name, _read_file(path, rows)] for path in _files(source.path)]
    made = rows.table()
    frame = pd.DataFrame({name: pd.Series(made[name], dtype=object) for name in chosen})
    content = content_hash({"form": FORM, "mapping": hashlib.sha256(mapping.to_bytes()).hexdigest(), "files": hashes})
    return Table(names, frame, content.hex(), rows.counted(), rows.unfilled())


def read_definition(path: Path) -> bytes:
    """Return the bytes of a mapping's or a query's file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("dataset.not-found", "the mapping cannot be read", got=error.strerror,
                         expected=path.name) from error


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError("dataset.not-found", "there is no such file or folder", got=path.name)
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file())
    if not 1 <= len(found) <= MAXIMUM_FILES:
        raise InputError("fhir.no-files", "the folder holds no FHIR files, or far too many", got=len(found),
                         expected=f"1 to {MAXIMUM_FILES} files in {' or '.join(SUFFIXES)}")
    return found


def _read_file(path: Path, rows: Rows) -> str:
    """Give all resources of a file to the rows, and return the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    failure, before, after, sound, faults = "", None, None, 0, 0
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())

            def read(size: int) -> bytes:
                data = file.read(size)
                digest.update(data)
                return data

            for found in (lines if path.suffix.lower() == ".ndjson" else entries)(read):
                sound += isinstance(found, Resource)
                faults += found in (NOT_JSON, CUT_OFF, NO_RESOURCE)
                rows.add(found)
            after = path.stat()
    except OSError as error:
        failure = error.strerror or type(error).__name__
    if failure or (faults and not sound):
        raise InputError("fhir.unreadable", f"{path.name} holds no resource that can be read", got=failure or
                         f"{faults} faults", expected="FHIR R4 resources, one a line in .ndjson, or a Bundle in .json",
                         hint="export it again")
    if before is None or after is None or (before.st_ino, before.st_size, before.st_mtime_ns) != (
            after.st_ino, after.st_size, after.st_mtime_ns):
        raise RefusedError("dataset.changing", "the file changed while it was read", got=path.name,
                           hint="let whatever writes it finish, then try again")
    return digest.hexdigest()
