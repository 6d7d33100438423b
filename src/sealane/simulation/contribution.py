"""What each institution adds to a metric of a result, by runs over coalitions of the simulated institutions.

Every coalition is one more cohort over the same rows, so parts of single institutions follow from the results. So each
institution must have waived the differencing guard; and each coalition is a federation of its own, whose nodes
remember no other, since a node refuses a second cohort where somebody outside the present study is at risk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sealane.core.entropy import random_bytes
from sealane.errors import InputError, RefusedError
from sealane.governance.contribution import LARGEST_EXACT, Coalition, leave_one_out, sampled_shapley, shapley

if TYPE_CHECKING:
    from sealane.simulation.simulate import Simulation

Method = Literal["auto", "shapley", "sampled", "leave-one-out"]


@dataclass(frozen=True, slots=True)
class Contributions:
    """Shares of a metric.

    Attributes:
        method: ``shapley``, ``sampled`` or ``leave-one-out``.
        shares: by institution; Shapley's add up to ``whole``, less what no coalition is worth.
        whole: the metric over all institutions.
        runs: how many runs it took.
        values: the metric of every coalition that was run.
    """

    method: str
    shares: dict[str, float]
    whole: float
    runs: int
    values: dict[Coalition, float]


def contribution(
    simulation: Simulation, computation: str, metric: Callable[[Any], float], *, method: Method = "auto",
    orders: int = 20, too_small: float = 0.0, minimum_cohort: int = 2, colluding: int = 0,
    waive_differencing: Sequence[str] = (), **options: Any,
) -> Contributions:
    """Return what each institution adds to ``metric`` of a result.

    Args:
        simulation: the federation.
        computation: what is run over every coalition.
        metric: the value of a result, such as ``lambda fit: fit.nobs``.
        method: ``shapley`` values all 2^n coalitions, ``sampled`` averages over random orders of arrival,
            ``leave-one-out`` takes n + 1 runs; ``auto`` is ``shapley`` up to 6 institutions and ``sampled`` above.
        orders: how many orders are drawn for ``sampled``.
        too_small: what a coalition under the minimum cohort is worth: it cannot compute anything.
        minimum_cohort: as for a run; the smallest coalition that computes.
        colluding: as for a run.
        waive_differencing: must name every institution.
        options: of the runs: parameters of the computation, ``minimum_count``, ``scheme``.

    Raises:
        RefusedError: an institution has not waived the differencing guard.
        InputError: the metric is no finite number.
    """
    names = list(simulation.nodes)
    missing = [name for name in names if name not in waive_differencing]
    if missing:
        raise RefusedError("contribution.not-waived", "runs over coalitions would show single institutions' parts",
                           got=f"not waived by {', '.join(missing)}", expected="a waiver by every institution",
                           hint="waive_differencing=[…] with every name, if all of them agree")
    values: dict[Coalition, float] = {}

    def value(coalition: Coalition) -> float:
        if len(coalition) < max(minimum_cohort, colluding + 2):
            return too_small
        if coalition not in values:
            found = float(metric(simulation.part(coalition).run(
                computation, minimum_cohort=minimum_cohort, colluding=colluding,
                waive_differencing=sorted(coalition), **options)))
            if not math.isfinite(found):
                raise InputError("contribution.not-finite", "the metric of a coalition is no finite number",
                                 got=", ".join(sorted(coalition)))
            values[coalition] = found
        return values[coalition]

    chosen = ("shapley" if len(names) <= LARGEST_EXACT else "sampled") if method == "auto" else method
    match chosen:
        case "shapley":
            shares = shapley(names, value)
        case "leave-one-out":
            shares = leave_one_out(names, value)
        case _:
            shares = sampled_shapley(names, value, _drawn(names, orders))
    return Contributions(chosen, shares, value(frozenset(names)), len(values), values)


def _drawn(names: list[str], count: int) -> Iterator[list[str]]:
    """Draw orders evenly. Source: R. Durstenfeld, Algorithm 235 (1964), with 64 random bits to a choice."""
    for _ in range(count):
        order = list(names)
        for last in range(len(order) - 1, 0, -1):
            other = int.from_bytes(random_bytes(8), "big") % (last + 1)
            order[last], order[other] = order[other], order[last]
        yield order
