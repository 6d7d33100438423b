"""One table as it was read: its column names, the chosen columns, and a hash of the content."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from sealane.errors import InputError

MAXIMUM_COLUMNS = 10_000
MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")
"""What stands for a missing number."""
Choose = Callable[[list[str]], list[str]]
"""Given a source's column names in their order, returns those to read; each must occur once."""


@dataclass(frozen=True, slots=True)
class Table:
    """What was read.

    Attributes:
        names: every column of the source, in its order, duplicates included.
        frame: the chosen columns, as the source types them.
        content: SHA-256, hex: of the file's bytes, or for a database of the chosen columns' rows in any order.
        counted: what became of what the source holds, where that is more than rows: numbers by what or why.
        unfilled: columns for which nothing was found, though zeros may stand there.
    """

    names: list[str]
    frame: pd.DataFrame
    content: str
    counted: Mapping[str, int] = field(default_factory=dict)
    unfilled: tuple[str, ...] = ()


def check_names(names: Sequence[str], path: str) -> None:
    """Refuse a table without columns, or with more than can be meant.

    Raises:
        InputError: it is one.
    """
    if not 1 <= len(names) <= MAXIMUM_COLUMNS:
        raise InputError("dataset.unreadable", "the table has no column, or far too many", got=len(names),
                         expected=f"1 to {MAXIMUM_COLUMNS}", hint=f"is {Path(path).name} the right source?")


def hash_rows(rows: Iterable[Sequence[Any]]) -> str:
    """Return SHA-256, hex, over rows in any order: each is hashed with its types, the hashes sorted."""
    digest = hashlib.sha256()
    for row_hash in sorted(hashlib.sha256(b"".join(map(_encode, row))).digest() for row in rows):
        digest.update(row_hash)
    return digest.hexdigest()


def _encode(value: Any) -> bytes:
    match value:
        case None:
            kind, content = b"n", b""
        case bool():
            kind, content = b"b", b"%d" % value
        case int():
            kind, content = b"i", b"%d" % value
        case float():
            kind, content = b"f", struct.pack(">d", value)
        case str():
            kind, content = b"s", value.encode("utf-8", "surrogatepass")
        case bytes() | bytearray() | memoryview():
            kind, content = b"x", bytes(value)
        case datetime() | date() | time():
            kind, content = b"t", value.isoformat().encode()
        case Decimal():
            kind, content = b"d", str(value).encode()
        case _:
            kind, content = b"o", repr(value).encode("utf-8", "surrogatepass")
    return kind + len(content).to_bytes(8, "big") + content
