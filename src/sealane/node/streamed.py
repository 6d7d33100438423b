"""A registered CSV or Parquet file that is read chunk by chunk, and is still the version that was registered.

Whether rows break the contract was decided over the whole file when the dataset was added. The same bytes under the
same contract keep it, so a file whose every row did is hashed, and only the columns that a computation reads are read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from sealane.core.clock import from_text
from sealane.errors import RefusedError
from sealane.governance.contract import Contract
from sealane.node.conformance import check_rows, narrow
from sealane.node.reading import State, changing, state_of
from sealane.node.reading_files import read_chunks
from sealane.node.register import DatasetEntry
from sealane.node.sources import Source, parse_source


def can_stream(entry: DatasetEntry) -> bool:
    """Return whether a dataset can be read in chunks: a file of which every row counts, just as it is."""
    return parse_source(entry.source).kind in ("csv", "parquet") and not entry.repair and not entry.excluded


@dataclass(frozen=True, slots=True)
class StreamedFile:
    """Such a file.

    Attributes:
        entry: as it was registered.
        contract: that it keeps.
        state: of the file when it was hashed.
    """

    entry: DatasetEntry
    contract: Contract
    state: State

    @property
    def _source(self) -> Source:
        return parse_source(self.entry.source)

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.entry.rows

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the named columns of all rows. Raises as :meth:`chunks` does."""
        return narrow(pd.concat(list(self.chunks(columns, self.rows)), ignore_index=True), self.contract)

    def require(self, columns: Sequence[str]) -> None:
        """Check that the named fields can be read.

        Raises:
            InputError: the contract has no such field.
            RefusedError: the dataset has no column for it.
        """
        require(self.contract, self.entry.name, self.entry.mapping, columns)

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
        """Yield the named columns of some rows after others, typed.

        Raises:
            InputError: the contract has no such field, or the file cannot be read.
            RefusedError: the dataset has no column for it, or the file changed since it was hashed.
        """
        self.require(columns)
        source, today = self._source, from_text(self.entry.added_at).date()
        rows = 0
        for chunk in read_chunks(source.path, source.kind, [self.entry.mapping[name] for name in columns], size):
            rows += len(chunk)
            yield self._typed(chunk, columns, today)
        if state_of(source.path) != self.state or rows != self.entry.rows:
            raise changing(source.path)

    def _typed(self, chunk: pd.DataFrame, columns: Sequence[str], today: date) -> pd.DataFrame:
        raw: dict[str, pd.Series[Any]] = {name: chunk.iloc[:, place] for place, name in enumerate(columns)}
        checked = check_rows(self.contract, raw, len(chunk), today)
        if checked.invalid.any():
            raise changing(self._source.path)
        return checked.frame[list(columns)]


def require(contract: Contract, dataset: str, held: Container[str], columns: Sequence[str]) -> None:
    """Check that a dataset holds the named fields.

    Raises:
        InputError: the contract has no such field.
        RefusedError: the dataset has no column for it.
    """
    for name in columns:
        contract.field(name)
        if name not in held:
            raise RefusedError("dataset.column-absent", f"dataset {dataset} has no column for the field",
                               got=repr(name), expected="a field that the source fills",
                               hint="map a column to it and add the dataset again, or leave the field out")
