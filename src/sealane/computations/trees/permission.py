"""The rule that a split must pass before anything of its children is summed.

A parent's histogram less one child's gives the other's, and a leaf of one institution is that institution's data. So
the exact rows, and the institutions that have any, are opened for both children first, and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.disclosure import effective_rows
from sealane.computations.trees.parameters import TreeParameters
from sealane.errors import RefusedError

ROWS_FACTOR = 20
"""A leaf holds so many times the minimum count. Source: the project's design, section Trees."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What both children of a split need.

    Attributes:
        rows: fewest rows.
        effective: fewest rows of equal weight that stand for them.
        institutions: fewest institutions that have any.
    """

    rows: int
    effective: int
    institutions: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was opened of a split, and whether it may be made."""

    left_rows: int
    right_rows: int
    permitted: bool


def rule_for(cohort: Cohort, min_data_in_leaf: int) -> Rule:
    """Return the rule of a run."""
    least = ROWS_FACTOR * cohort.minimum_count
    return Rule(max(min_data_in_leaf, least), least, cohort.smallest)


def check_quantile(params: TreeParameters, rule: Rule, minimum_count: int) -> None:
    """Refuse leaves that are quantiles beyond which a leaf of the fewest rows has fewer than the minimum count.

    Raises:
        RefusedError: such a leaf would be nearly the largest or the smallest outcome of some row.
    """
    share = min(params.alpha, 1.0 - params.alpha)
    if params.objective == "quantile" and share * rule.rows < minimum_count:
        raise RefusedError("trees.quantile-too-extreme", "a leaf's quantile would lie next to a single row's outcome",
                           got=f"alpha {params.alpha:g} of leaves of {rule.rows} rows",
                           expected=f"{minimum_count} rows of a leaf on either side",
                           hint=f"say min_data_in_leaf = {math.ceil(minimum_count / share)} or more, or a less extreme "
                                "alpha")


def judge(rule: Rule, rows: int, opened: NDArray[np.int64], weights: NDArray[np.float64] | None) -> Verdict:
    """Hold a split against the rule.

    Args:
        rule: of the run.
        rows: of the parent, over the cohort.
        opened: rows of the left child, and the institutions that have any in the left and in the right one.
        weights: Σw and Σw² of the left and of the right child, where rows are weighted.
    """
    left, on_left, on_right = (int(value) for value in opened)
    right = rows - left
    permitted = min(left, right) >= rule.rows and min(on_left, on_right) >= rule.institutions
    if weights is not None:
        sides = (effective_rows(float(weights[0]), float(weights[1])),
                 effective_rows(float(weights[2]), float(weights[3])))
        permitted = permitted and min(sides) >= rule.effective
    return Verdict(left, right, permitted)
