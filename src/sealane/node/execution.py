"""Where a computation's coroutine runs: in this process, or in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import pandas as pd

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.errors import RefusedError
from sealane.governance.contract import Contract
from sealane.node.gate import Admission

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


class Unconfined:
    """In this process, where breakpoints work and nothing is locked in: for simulations, and where switched off."""

    full = False

    async def compute(
        self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str, used: Used = lambda microseconds: None
    ) -> Payload:
        """See :class:`Execution`."""
        declared = frozenset(admission.computation.columns(admission.parameters))
        payload: Payload = await admission.computation.run(Declared(data, declared), cohort, admission.parameters)
        return payload
