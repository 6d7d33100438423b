"""Where a computation's coroutine runs: in this process, or in the sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import pandas as pd

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.errors import RefusedError
from sealane.governance.contract import Contract
from sealane.node.gate import Admission
from sealane.node.row_file import FiledRows, chunks_of, holds_texts, lay_down

Used = Callable[[int], None]


@runtime_checkable  # an agent, which holds one, is part of what commands are checked against
class Execution(Protocol):
    """Runs what was admitted, and returns its payload."""

    @property
    def full(self) -> bool:
        """True where computations are locked in with full strength, as some grades of data demand."""

    async def compute(
        self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str, used: Used = lambda microseconds: None
    ) -> Payload:
        """Run the admitted computation on these rows with this cohort.

        Args:
            admission: what was let in.
            data: the rows.
            cohort: the collectives.
            run_id: for the log.
            used: is told the processor time that was used outside this thread, in microseconds.

        Raises:
            SealaneError: whatever the computation or the cohort refuses, or a limit that was crossed.
        """


class Declared:
    """A dataset of which only the columns that a computation declares can be read: those that were graded for it."""

    def __init__(self, data: Dataset, columns: frozenset[str]) -> None:
        self._data = data
        self._columns = columns

    @property
    def contract(self) -> Contract:
        """The dataset's contract."""
        return self._data.contract

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the named columns of all rows.

        Raises:
            RefusedError: one was not declared.
        """
        others = sorted(set(columns) - self._columns)
        if others:
            raise RefusedError("computation.column-undeclared", "the computation reads what it did not declare",
                               got=", ".join(others)[:200], expected="what its columns() names")
        return self._data.frame(columns)


@dataclass(frozen=True, slots=True)
class Unconfined:
    """In this process, where breakpoints work and nothing is locked in: for simulations, and where switched off.

    Attributes:
        filed: directory for files of rows; None where they lie in memory.
    """

    filed: Path | None = None
    full: ClassVar[bool] = False

    async def compute(
        self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str, used: Used = lambda microseconds: None
    ) -> Payload:
        """See :class:`Execution`."""
        columns = admission.computation.columns(admission.parameters)
        read: Dataset = Declared(data, frozenset(columns))
        if self.filed is not None and not holds_texts(data.contract, columns):
            laid = lay_down(self.filed, data.contract, columns, chunks_of(data, columns))
            try:
                read = FiledRows(laid, data.contract)
            finally:
                os.close(laid.handle)
        payload: Payload = await admission.computation.run(read, cohort, admission.parameters)
        return payload
