"""The computation that bench_round measures: the same sum again and again. A fork server imports it too."""

from __future__ import annotations

from typing import Any

import numpy as np

from sealane.computations import registry
from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count, update


class RoundsParameters(Parameters):
    """How many sums, of how many entries; of an update's ``bits`` bits each, or of counts."""

    rounds: int
    entries: int
    bits: int = 0


class Rounds:
    """Sums the same values again and again."""

    name = "bench.rounds"
    parameters = RoundsParameters

    def columns(self, params: RoundsParameters) -> list[str]:
        """Return no columns: no row is read."""
        return []

    async def run(self, data: Dataset, cohort: Cohort, params: RoundsParameters) -> Payload:
        """Run the sums."""
        values = np.arange(params.entries, dtype=np.float32 if params.bits else np.int64)
        if params.bits:
            np.sin(values, out=values)
        for _ in range(params.rounds):
            if params.bits:
                total = await cohort.sum({"values": update(values, 1.0, params.bits)})
                wrong = total["values"][:1000] - values[:1000] * cohort.size
                assert np.abs(wrong).max() < 2.0 ** (2 - params.bits) * cohort.size
            else:
                total = await cohort.sum({"values": count(values, 1 << 20)})
                assert (total["values"] == values * cohort.size).all()
        agreed = await cohort.agree(np.zeros(1))
        return {"rounds": params.rounds, "check": float(agreed[0])}

    def present(self, payload: Payload) -> Any:
        """Return the payload with room for a trace."""
        return type("Shown", (), {"payload": payload, "trace": None})()


registry._BUILT_IN[Rounds.name] = Rounds()
