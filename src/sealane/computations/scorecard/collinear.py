"""Which features determine each other too far: variance inflation of their weights of evidence, from one secure sum.

Cross-products of k columns are k (k + 1) / 2 numbers. Counts of pairs of bins would give the same, but many more of
them, each on fewer rows. VIF of a column is the diagonal of the inverse of their correlations: 1 / (1 − R²).
Source: Marquardt (1970), Technometrics 12:591-612.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, real
from sealane.computations.cholesky import factor
from sealane.computations.newton import SMALLEST_PIVOT, Array


@dataclass(frozen=True, slots=True)
class Inflation:
    """What is left of the features, and how each stood: VIF when it was dropped, or at the end; None: determined."""

    left: list[int]
    vif: dict[int, float | None]


async def cross_products(cohort: Cohort, columns: Array, means: Sequence[float], reach: float, rows: int) -> Array:
    """Open the cross-products of centred columns: one sum.

    Args:
        cohort: of the run.
        columns: own rows, shape ``(n_rows, k)``. Private.
        means: over the cohort, public.
        reach: largest absolute value of a centred one, public.
        rows: over the cohort.
    """
    centred = columns - np.array(means)
    upper = np.triu_indices(columns.shape[1])
    bound = power_of_two(rows * reach * reach)
    opened = (await cohort.sum({"products": real((centred.T @ centred)[upper], bound)}))["products"]
    full = np.zeros((columns.shape[1], columns.shape[1]))
    full[upper] = opened
    return np.asarray(np.triu(full) + np.triu(full, 1).T, dtype=np.float64)


def inflation(products: Array, order: Sequence[int], limit: float) -> Inflation:
    """Drop the feature that the others explain best until none is explained past the limit.

    Args:
        products: cross-products of all columns.
        order: the columns, most informative first: of columns that determine each other the last one goes.
        limit: largest variance inflation.
    """
    left, vif = list(order), dict[int, float | None]()
    while left:
        determined = _determined(products, left)
        if determined is not None:
            vif[left.pop(determined)] = None
            continue
        part = products[np.ix_(left, left)]
        found = factor(part)
        assert found is not None
        values = (np.diag(found.inverse()) * np.diag(part)).tolist()
        worst = max(range(len(left)), key=lambda k: values[k])
        if values[worst] <= limit:
            vif |= dict(zip(left, values, strict=True))
            break
        vif[left.pop(worst)] = values[worst]
    return Inflation(sorted(left), vif)


def _determined(products: Array, left: Sequence[int]) -> int | None:
    """Return the first place of a column that those before it determine."""
    for size in range(1, len(left) + 1):
        found = factor(products[np.ix_(left[:size], left[:size])])
        if found is None or float(found.pivots.min()) < SMALLEST_PIVOT:
            return size - 1
    return None


def power_of_two(bound: float) -> float:
    """Return a bound rounded up, with slack for rounding: it must not hang on a float's last bit."""
    return float(2.0 ** math.frexp(max(bound, 2.0**-20) * (1.0 + 2.0**-20))[1])
