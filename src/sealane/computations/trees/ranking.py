"""How well scores rank events, from secure sums over cells of scores, with the error that the cells can make."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

CELLS = 2048
"""Of the score grid; its borders are even in the logit, from -10 to 10."""
_BORDERS = np.linspace(-10.0, 10.0, CELLS - 1)


def cells_of(score: NDArray[np.float64], event: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return own rows by event (0 without, 1 with) and cell of their score, ``(2, CELLS)``.

    Args:
        score: logits, shape ``(n_rows,)``.
        event: whether a row has the event.
    """
    return masses_of(score, event, np.ones(len(score))).astype(np.int64)


def masses_of(score: NDArray[np.float64], event: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return own weights by event (0 without, 1 with) and cell of their score, ``(2, CELLS)``.

    Args:
        score: logits, shape ``(n_rows,)``.
        event: whether a row has the event.
        weight: of each row.
    """
    places = np.searchsorted(_BORDERS, score, side="left")
    return np.stack([np.bincount(places[event == one], weights=weight[event == one], minlength=CELLS)
                     for one in (False, True)])


def ranked(cells: NDArray[np.int64]) -> dict[str, float]:
    """Return AUC and the Kolmogorov-Smirnov distance of summed cells, and how far off they can be at most.

    The cells hold rows, or weights in steps of a grid: both measures are the same for any unit.
    Whole numbers are added up as such, so that no order of additions can tell nodes apart.

    Within a cell the order of scores is not known: AUC takes half of its pairs, so it is off by at most half of all
    such pairs; the distance is exact at the borders and grows within a cell by at most the larger share of a side.

    Source: Hanley and McNeil (1982), Radiology 143(1), for AUC as the share of pairs in order.
    """
    without, within = cells.astype(np.float64)
    negatives, positives = (float(one.sum()) for one in cells)
    up_to, within_up_to = np.cumsum(cells, axis=1).astype(np.float64)
    below = np.concatenate([[0.0], up_to[:-1]])
    pairs = positives * negatives
    auc = math.fsum(within * (below + without / 2)) / pairs
    gaps = np.abs(within_up_to / positives - up_to / negatives)
    return {
        "auc": auc, "auc_error": math.fsum(within * without) / 2.0 / pairs,
        "ks": float(gaps.max()), "ks_error": float(np.maximum(within / positives, without / negatives).max()),
    }
