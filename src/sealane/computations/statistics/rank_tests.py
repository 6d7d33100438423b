"""Rank tests from histograms of groups over the same cells; ties are rows of one cell and are treated exactly.

Source: Mann and Whitney (1947), Annals of Mathematical Statistics 18(1), with the normal approximation, correction for
ties (Lehmann 1975, Nonparametrics, section 1.4) and continuity that scipy uses; Kruskal and Wallis (1952), Journal of
the American Statistical Association 47(260).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.statistics.grid import mid_ranks


def _rank_sums(cells: NDArray[np.int64]) -> tuple[list[int], list[int], int, int]:
    """Return doubled rank sums and numbers of the groups, all rows, and the sum of t³ - t over ties.

    Args:
        cells: rows by group and cell, shape ``(groups, cells)``.
    """
    pooled: NDArray[np.int64] = cells.sum(axis=0)
    ranks = mid_ranks(pooled).tolist()
    sums = [sum(number * rank for number, rank in zip(group, ranks, strict=True)) for group in cells.tolist()]
    return sums, cells.sum(axis=1).tolist(), int(pooled.sum()), sum(t * t * t - t for t in pooled.tolist())


def mann_whitney(cells: NDArray[np.int64]) -> dict[str, Any] | None:
    """Return U of the first of two groups and its z, None where all rows share one cell."""
    sums, (one, other), rows, ties = _rank_sums(cells)
    spread = one * other / 12.0 * ((rows + 1) - ties / (rows * (rows - 1)))
    if spread <= 0.0:
        return None
    statistic = (sums[0] - one * (one + 1)) / 2.0
    off = abs(statistic - one * other / 2.0)
    return {"statistic": statistic, "df": [], "z": (off - 0.5) / math.sqrt(spread),
            "rank_biserial": 2.0 * statistic / (one * other) - 1.0}


def kruskal_wallis(cells: NDArray[np.int64]) -> dict[str, Any] | None:
    """Return H, corrected for ties, None where all rows share one cell."""
    sums, numbers, rows, ties = _rank_sums(cells)
    correction = 1.0 - ties / (float(rows) * rows * rows - rows)
    if correction <= 0.0:
        return None
    squares = math.fsum(total * total / 4.0 / number for total, number in zip(sums, numbers, strict=True))
    statistic = (12.0 / (rows * (rows + 1.0)) * squares - 3.0 * (rows + 1.0)) / correction
    return {"statistic": statistic, "df": [float(len(numbers) - 1)],
            "epsilon_squared": statistic * (rows + 1.0) / (float(rows) * rows - 1.0)}
