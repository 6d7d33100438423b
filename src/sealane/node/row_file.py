"""The rows of one computation in a file without a name, mapped rather than held, with room for prepared ones behind.

Each row is as many words of eight bytes as columns are read: numbers and truth values as floats, moments as
nanoseconds, a category as the place of its level. Only the process that computes has the file; once it ends, or the
machine does, the blocks are free. They are not overwritten: who needs that keeps the node's home on an encrypted disk.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.core.handles import write_all
from sealane.errors import ProtocolError, RefusedError, UnavailableError
from sealane.governance.contract import Contract, Field

WORD = 8
CHUNK_ROWS = 1 << 13
"""Rows that are read and written at once."""
_MISSING = -1


@runtime_checkable
class InChunks(Protocol):
    """A dataset that need not be held to be read."""

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
        """Yield the named columns of so many rows at a time."""


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows that were laid down.

    Attributes:
        handle: of the file; who laid them down closes it.
        rows: how many.
        columns: their names, in the order of the words.
        whole: those integers and truth values of which none is missing.
    """

    handle: int
    rows: int
    columns: tuple[str, ...]
    whole: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of the file: rows, and as much again."""
        return 2 * WORD * self.rows * len(self.columns) or WORD


def lay_down(directory: Path, contract: Contract, columns: Sequence[str], chunks: Iterable[pd.DataFrame]) -> Laid:
    """Write checked rows, chunk by chunk, into a new file without a name.

    Raises:
        UnavailableError: the disk has no room.
    """
    fields = [contract.field(name) for name in columns]
    with tempfile.TemporaryFile(dir=directory) as file:
        handle = os.dup(file.fileno())
    rows, gaps = 0, set[str]()
    try:
        for chunk in chunks:
            words = np.empty((len(chunk), len(fields)), np.int64)
            for place, field in enumerate(fields):
                words[:, place], gap = _words(chunk[field.name], field)
                gaps |= {field.name} if gap else set()
            write_all(handle, words.reshape(-1).view(np.uint8).data)
            rows += len(chunk)
        whole = tuple(f.name for f in fields if f.type in ("integer", "boolean") and f.name not in gaps)
        laid = Laid(handle, rows, tuple(columns), whole)
        os.posix_fallocate(handle, 0, laid.size)  # or a full disk would kill the process that writes to the map
    except OSError as error:
        os.close(handle)
        raise UnavailableError("rows.disk", "the rows of a run cannot be laid down in the node's home",
                               got=errno.errorcode.get(error.errno or 0), expected="room for twice the rows",
                               hint="make room, or say rows = \"memory\" in settings.toml") from error
    except BaseException:
        os.close(handle)
        raise
    return laid


def chunks_of(data: Dataset, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield a dataset's rows some after others, without holding all of them where it can be helped."""
    if isinstance(data, InChunks):
        yield from data.chunks(columns, CHUNK_ROWS)
        return
    frame = data.frame(columns)
    for start in range(0, len(frame), CHUNK_ROWS):
        yield frame.iloc[start : start + CHUNK_ROWS]


def holds_texts(contract: Contract, columns: Sequence[str]) -> bool:
    """Return whether a column holds texts of any length, which such a file has no place for."""
    return any(contract.field(name).type == "text" for name in columns)


class FiledRows:
    """Rows as they were laid down; satisfies :class:`sealane.computations.base.Dataset`, and gives room."""

    def __init__(self, laid: Laid, contract: Contract) -> None:
        self._memory = mmap.mmap(laid.handle, laid.size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._laid = laid
        self._contract = contract
        self._at = WORD * laid.rows * len(laid.columns)
        words = np.frombuffer(self._memory, np.int64, self._at // WORD).reshape(laid.rows, len(laid.columns))
        words.flags.writeable = False
        self._words = words

    @property
    def contract(self) -> Contract:
        """The data contract that the rows conform to."""
        return self._contract

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._laid.rows

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return a copy of the named columns of all rows.

        Raises:
            InputError: the contract has no such field.
            RefusedError: the computation did not say beforehand that it reads the column.
        """
        made = {name: self._column(self._contract.field(name)) for name in columns}
        return pd.DataFrame(made, index=pd.RangeIndex(self.rows), columns=pd.Index(list(columns), dtype=object))

    def room(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return zeros in the part of the file that lies behind the rows.

        Raises:
            RefusedError: more than the rows themselves take was asked for.
        """
        entries = math.prod(shape)
        start = self._at
        end = start + -(-entries * dtype.itemsize // WORD) * WORD
        if end > self._laid.size:
            raise RefusedError("rows.room-exceeded", "the computation prepares more than the rows that it reads",
                               got=f"{entries} numbers", expected=f"at most {self._laid.size - start} bytes",
                               hint="rows = \"memory\" in the node's settings.toml has no such limit")
        self._at = end
        return np.frombuffer(self._memory, dtype, entries, start).reshape(shape)

    def _column(self, field: Field) -> pd.Series[Any] | NDArray[Any]:
        if field.name not in self._laid.columns:
            raise RefusedError("sandbox.column-not-declared", "the computation reads a column that it did not name",
                               got=repr(field.name[:80]), expected="one of those that Computation.columns returns")
        words = self._words[:, self._laid.columns.index(field.name)].copy()
        if field.type == "category":
            return np.array([*field.allowed, None], dtype=object)[words]  # the last is -1
        if field.type == "date":
            return words.view("M8[ns]")
        values = words.view(np.float64)
        return values.astype(np.int64) if field.name in self._laid.whole else values


def _words(series: pd.Series[Any], field: Field) -> tuple[NDArray[np.int64], bool]:
    """Return a column's words, and whether a value is missing."""
    if field.type == "category":
        places = np.asarray(pd.Categorical(series, categories=list(field.allowed)).codes, np.int64)
        if bool(((places == _MISSING) & series.notna().to_numpy(np.bool_)).any()):
            raise ProtocolError("rows.unchecked", "a column holds what its contract does not know",
                                got=field.type, expected="a dataset that was checked against its contract")
        return places, bool((places == _MISSING).any())
    if field.type == "date":
        moments = series.to_numpy("M8[ns]")
        return moments.view(np.int64), bool(np.isnat(moments).any())
    values = series.to_numpy(np.float64, na_value=np.nan)
    return values.view(np.int64), bool(np.isnan(values).any())
