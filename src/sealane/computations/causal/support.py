"""Whether both arms have rows of the same kind: without that no weight makes them alike (positivity)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count, real
from sealane.computations.causal.parameters import IpwParameters
from sealane.computations.causal.propensity import Propensity
from sealane.computations.causal.weights import Weights, largest
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.design.variables import Array
from sealane.computations.disclosure import effective_rows
from sealane.computations.suppression import line
from sealane.errors import RefusedError

BINS = 20
"""Of propensity scores from 0 to 1."""
MOST_ALONE = 0.1
"""Largest share of rows with scores at which the other arm has none."""

Arms = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which rows are treated, and which are not."""


@dataclass(frozen=True, slots=True)
class Support:
    """Opened facts about the weights.

    Attributes:
        totals: sum of weights, treated first.
        effective: effective rows of each arm.
        histogram: rows by score, shape ``(2, BINS)``, treated first.
        truncated: rows whose score was truncated.
    """

    totals: tuple[float, float]
    effective: tuple[float, float]
    histogram: NDArray[np.int64]
    truncated: int

    def released(self, minimum: int) -> dict[str, Any]:
        """Return the histogram with small cells hidden and the others rounded to multiples of the minimum count.

        Where features have few levels a score is as good as a combination of levels, and exact counts of these could be
        solved for together with the balance of each feature.
        """
        out: dict[str, Any] = {}
        for name, numbers in zip(("treated", "control"), self.histogram.tolist(), strict=True):
            rules = line(numbers, minimum)
            out[name] = [None if rule else (2 * number + minimum) // (2 * minimum) * minimum
                         for number, rule in zip(numbers, rules, strict=True)]
        return out


async def open_support(
    cohort: Cohort, params: IpwParameters, propensity: Propensity, score: Array, weights: Weights, arms: Arms
) -> Support:
    """Open how scores lie by arm, then the weights' sums: one sum each, the second if the first is in order.

    Raises:
        RefusedError: ``ipw.truncated``, ``ipw.no-common-support`` or ``ipw.effective-rows``.
    """
    places = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    cells = [np.bincount(places[arm], minlength=BINS) for arm in arms]
    opened = await cohort.sum({"scores": count([*cells[0], *cells[1], int(weights.truncated.sum())], MAXIMUM_ROWS)})
    *numbers, truncated = opened["scores"].tolist()
    histogram = np.array(numbers, dtype=np.int64).reshape(2, BINS)
    if truncated > params.most_truncated * propensity.rows:
        raise RefusedError("ipw.truncated", "too many propensity scores lie near 0 or 1: the arms are not comparable",
                           got=f"more than {100 * params.most_truncated:g} % outside {params.truncate[0]:g} to "
                               f"{params.truncate[1]:g}", expected="rows that could have been in either arm",
                           hint="leave out features that decide the treatment, restrict the rows, or use "
                                "estimand = \"overlap\" with wider limits")
    alone = int(histogram[:, (histogram == 0).any(axis=0)].sum())
    if alone > MOST_ALONE * propensity.rows:
        raise RefusedError("ipw.no-common-support", "many rows have scores at which the other arm has none",
                           got=f"more than {100 * MOST_ALONE:g} % of the rows",
                           expected="rows of both arms at nearly all scores",
                           hint="restrict the rows to those that could have been in either arm")
    top = largest(params.estimand, params.truncate)
    sums = [[float(weights.values[arm].sum()), float((weights.values[arm] ** 2).sum())] for arm in arms]
    weighed = (await cohort.sum({"weights": real(sums, propensity.bound(top * max(top, 1.0)))}))["weights"].tolist()
    effective = [effective_rows(total, squares) for total, squares in weighed]
    if min(effective) < cohort.minimum_count:
        raise RefusedError("ipw.effective-rows", "few rows carry nearly all the weight of an arm",
                           got=f"under {cohort.minimum_count} effective rows",
                           expected=f"at least {cohort.minimum_count} in each arm",
                           hint="truncate sooner, or use estimand = \"overlap\"")
    return Support((weighed[0][0], weighed[1][0]), (effective[0], effective[1]), histogram, truncated)
