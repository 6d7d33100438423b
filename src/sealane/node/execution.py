"""Where a computation's coroutine runs: in this process, or in the sandbox."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.node.gate import Admission


@runtime_checkable  # an agent, which holds one, is part of what commands are checked against
class Execution(Protocol):
    """Runs what was admitted, and returns its payload."""

    @property
    def full(self) -> bool:
        """True where computations are locked in with full strength, as some grades of data demand."""

    async def compute(self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str) -> Payload:
        """Run the admitted computation on these rows with this cohort.

        Raises:
            SealaneError: whatever the computation or the cohort refuses, or a limit that was crossed.
        """


class Unconfined:
    """In this process, where breakpoints work and nothing is locked in: for simulations, and where switched off."""

    full = False

    async def compute(self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str) -> Payload:
        """See :class:`Execution`."""
        payload: Payload = await admission.computation.run(data, cohort, admission.parameters)
        return payload
