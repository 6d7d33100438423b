"""One sum that opens what a random intercept needs of each institution: its rows and its column totals.

The likelihood at a variance ratio is a sum over the institutions, but a search opens it at some fifty ratios, and each
opening is a matrix of equations in the few totals of each institution: long before the end they could be solved for. So
no such search is made behind a promise that it hides single institutions. Every institution waives, by name, and the
totals are opened once.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.design.layout import SLACK
from sealane.computations.design.variables import Array
from sealane.computations.mixed.profile import Clusters
from sealane.errors import RefusedError

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""


async def open_clusters(cohort: Cohort, x: Array, y: Array, *, rows: int, reach: float, reml: bool) -> Clusters:
    """Open rows and totals of each institution, and the products over all.

    Args:
        cohort: of the run, in which all have waived.
        x: own standardised columns.
        y: own standardised outcome.
        rows: over the cohort, the bound of each institution's.
        reach: largest absolute value of a column or the outcome that the contract allows.
        reml: whether the likelihood is to be the restricted one.

    Raises:
        RefusedError: ``mixed.range-too-wide``.
    """
    both = np.column_stack([x, y])
    size = both.shape[1]
    slots, totals = np.zeros(cohort.size, dtype=np.int64), np.zeros((cohort.size, size))
    slots[cohort.place], totals[cohort.place] = len(y), both.sum(axis=0)
    upper = np.triu_indices(size)
    opened = await cohort.sum({
        "rows": count(slots, rows),
        "totals": real(totals, _bound(cohort, rows * reach)),
        "products": real((both.T @ both)[upper], _bound(cohort, rows * reach * reach)),
    })
    products = np.zeros((size, size))
    products[upper] = opened["products"]
    products = np.triu(products) + np.triu(products, 1).T
    return Clusters(opened["rows"].astype(np.float64), opened["totals"], products, reml)


def _bound(cohort: Cohort, bound: float) -> float:
    rounded = 2.0 ** math.frexp(bound * SLACK)[1]
    if rounded * cohort.size > WIDEST_SUM:
        raise RefusedError("mixed.range-too-wide", "the contract's ranges are too wide for an exact sum",
                           got=f"columns that reach 2^{math.frexp(bound)[1]}",
                           hint="narrow the ranges in the contract, or take logarithms")
    return rounded
