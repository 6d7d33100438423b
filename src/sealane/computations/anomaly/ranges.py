"""How far the boxes of trees reach: public quantiles near both ends of each feature, by secure search.

An isolation tree over a sample of s rows reaches to the sample's least and largest value. They lie near the quantiles
of order 1/s and 1 - 1/s, sometimes nearer to the end and sometimes further in. Each tree draws one of a few such
quantiles, so that one far value does not stretch all boxes. A quantile beyond which fewer rows than the minimum count
lie stays hidden; the nearest one that is shown stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.anomaly.forest import Floats
from sealane.computations.base import Cohort
from sealane.computations.statistics.moments import Sample
from sealane.computations.statistics.quantile_search import Quantile, quantiles
from sealane.errors import RefusedError

REACH = (1 / 8, 1 / 2, 1.0, 2.0)
"""Shares of rows beyond a sample's largest value, times s: near the quantiles of order 1/8, 3/8, 5/8 and 7/8."""
FURTHER = (4.0, 8.0, 16.0, 32.0)
"""Only where rows are too few for the others."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where boxes may begin and end, shape ``(choices, features)`` each."""

    lows: Floats
    highs: Floats


async def find_ranges(cohort: Cohort, samples: Sequence[Sample], whole: Sequence[bool], sample: int) -> Ranges:
    """Search the quantiles.

    Raises:
        RefusedError: ``anomaly.too-few-rows``, ``anomaly.nothing-varies``.
    """
    shares = [reach / sample for reach in (*REACH, *FURTHER) if reach / sample < 0.25]
    probabilities = [*shares, *(1.0 - share for share in reversed(shares))]
    found = await quantiles(cohort, samples, whole, probabilities)
    ends = [(_nearest(one[:len(shares)]), _nearest(one[:len(shares) - 1:-1])) for one in found]
    if any(not low or not high for low, high in ends):
        raise RefusedError("anomaly.too-few-rows", "too few rows lie near the ends of the features",
                           got=f"under {cohort.minimum_count} beyond {max(shares):.3g}",
                           expected=f"at least {cohort.minimum_count}", hint="ask for a smaller sample")
    ranges = Ranges(np.array([low for low, _ in ends]).T, np.array([high for _, high in ends]).T)
    if not bool((ranges.highs[0] > ranges.lows[0]).any()):
        raise RefusedError("anomaly.nothing-varies", "no feature varies enough to be cut", got="constant features",
                           hint="choose others, or a larger sample")
    return ranges


def _nearest(searched: Sequence[Quantile]) -> list[float]:
    """Return one value for each reach: where it is hidden, that of the nearest further in, else of the last."""
    known = [(place, one.value) for place, one in enumerate(searched) if one.value is not None]
    return [next((value for place, value in known if place >= wanted), known[-1][1])
            for wanted in range(len(REACH))] if known else []
