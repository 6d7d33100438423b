"""The computation that bench_round measures: the same sum again and again. A fork server imports it too."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealane.computations import registry
from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count


class RoundsParameters(Parameters):
    """How many sums, of how many entries."""

    rounds: int
    entries: int


class Rounds:
    """Sums the same counts again and again."""

    name = "bench.rounds"
    parameters = RoundsParameters

    def columns(self, params: RoundsParameters) -> list[str]:
        """Return no columns: no row is read."""
        return []

    async def run(self, data: Dataset, cohort: Cohort, params: RoundsParameters) -> Payload:
        """Run the sums."""
        values = np.arange(params.entries)
        for _ in range(params.rounds):
            total = await cohort.sum({"values": count(values, 1 << 20)})
            assert (total["values"] == values * cohort.size).all()
        agreed = await cohort.agree(np.zeros(1))
        return {"rounds": params.rounds, "check": float(agreed[0])}

    def present(self, payload: Payload) -> Any:
        """Return the payload with room for a trace."""
        return type("Shown", (), {"payload": payload, "trace": None})()


registry._BUILT_IN[Rounds.name] = Rounds()
