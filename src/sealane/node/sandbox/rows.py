"""The rows that a computation reads, as sealed memory that a child can map and nobody can change; never pickled."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.core.handles import sealed_memory
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.contract import Contract
from sealane.node.gate import Admission

MISSING = -1
"""Length of a text that is missing."""
_PAD = 8


def seal_rows(frame: pd.DataFrame) -> tuple[int, list[dict[str, Any]]]:
    """Write a frame into sealed memory.

    Returns:
        The handle of the memory, which the caller closes, and what lies there column by column.

    Raises:
        ProtocolError: a column is neither numbers, dates nor texts.
    """
    columns: list[dict[str, Any]] = []

    def written() -> Iterator[bytes]:
        at = 0
        for position, name in enumerate(frame.columns):
            kind, parts = _parts(frame.iloc[:, position])
            column: dict[str, Any] = {"name": str(name), "type": kind, "rows": len(frame), "parts": []}
            for part in parts:
                gap = bytes(-len(part) % _PAD)
                column["parts"].append([at, len(part)])
                at += len(part) + len(gap)
                yield part
                yield gap
            columns.append(column)
        if at == 0:
            yield bytes(_PAD)  # empty memory cannot be mapped

    return sealed_memory("rows", written()), columns


def hands_on(admission: Admission) -> bool:
    """Return whether a computation hands a file with its rows on."""
    return hasattr(admission.computation, "write_table")


def table_of(admission: Admission, frame: pd.DataFrame) -> int | None:
    """Return the handle of a sealed file with the rows, for a computation that hands a file on; None for others."""
    if not hands_on(admission):
        return None
    computation: Any = admission.computation
    data = computation.write_table(frame, admission.parameters)
    return None if data is None else sealed_memory("table", [data])


class SealedRows:
    """What a child reads; satisfies :class:`sealane.computations.base.Dataset`."""

    def __init__(self, handle: int, columns: Sequence[dict[str, Any]], contract: Contract, rows: int) -> None:
        self._memory = mmap.mmap(handle, 0, mmap.MAP_SHARED, mmap.PROT_READ)
        self._columns = {column["name"]: column for column in columns}
        self._contract = contract
        self._rows = rows

    @property
    def contract(self) -> Contract:
        """The data contract that the rows conform to."""
        return self._contract

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._rows

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return a copy of the named columns of all rows.

        Raises:
            InputError: the contract has no such field.
            RefusedError: the computation did not say beforehand that it reads the column.
        """
        self.require(columns)
        made = {name: self._column(self._columns[name]) for name in columns}
        return pd.DataFrame(made, index=pd.RangeIndex(self._rows), columns=pd.Index(list(columns), dtype=object))

    def require(self, columns: Sequence[str]) -> None:
        """Check that the named columns can be read. Raises as :meth:`frame` does."""
        for name in columns:
            self._contract.field(name)
            if name not in self._columns:
                raise RefusedError("sandbox.column-not-declared", "the computation reads a column that it did not name",
                                   got=repr(name[:80]), expected="one of those that Computation.columns returns")

    def _column(self, column: dict[str, Any]) -> pd.Series[Any]:
        parts = [np.frombuffer(self._memory, np.uint8, length, at) for at, length in column["parts"]]
        if column["type"] != "text":
            return pd.Series(parts[0].view(column["type"]).copy())
        lengths = parts[0].view("<i8").tolist()
        data, at, texts = parts[1].tobytes(), 0, []
        for length in lengths:
            texts.append(None if length == MISSING else data[at:at + length].decode("utf-8", "surrogatepass"))
            at += max(length, 0)
        return pd.Series(texts, dtype=object)


def _parts(series: pd.Series[Any]) -> tuple[str, list[bytes]]:
    values: NDArray[Any] = series.to_numpy()
    if values.dtype.kind in "iufbM":  # numbers and moments
        return values.dtype.str, [np.ascontiguousarray(values).tobytes()]
    texts = [None if value is None or value is pd.NA or value != value else value for value in values.tolist()]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise ProtocolError("sandbox.column-type", "a column is neither numbers, dates nor texts",
                            got=str(series.dtype), expected="a dataset that was checked against its contract")
    encoded = [None if text is None else text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.array([MISSING if text is None else len(text) for text in encoded], dtype="<i8")
    return "text", [lengths.tobytes(), b"".join(text for text in encoded if text is not None)]
