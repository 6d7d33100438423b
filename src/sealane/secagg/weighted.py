"""Updates with weights, as one vector: the weight is its last entry, capped, and noised when the update is.

Node i holds an update u_i and a weight w_i (its rows, say). With a public cap W and the share f_i = min(w_i, W) / W it
sums the vector (f_i u_i, f_i clip). The weighted mean of the cohort is the first entries' sum over sum f_i. A weight
that was sent beside the update would tell its node's rows exactly, noise or not; as an entry it lies within the same
norm, sqrt(norm^2 + clip^2), that the noise was calibrated for.

Source: McMahan et al., "Learning Differentially Private Recurrent Language Models" (ICLR 2018), section 3.1, for capped
weights; the weight as an entry of the noised vector instead of a public one is ours.
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError, RefusedError
from sealane.secagg.conditional_rounding import clip_norm
from sealane.secagg.quantize import Floats
from sealane.secagg.terms import Term, update


def weighted(
    values: Floats, weight: float, *, cap: float, clip: float, bits: int = 16, norm: float = 0.0,
    noise: Decimal | str | None = None,
) -> Term:
    """Describe an update of d entries with its weight: a term of d + 1 entries.

    Args:
        values: the update, float32 or float64, shape ``(d,)``.
        weight: this node's, at least 0; beyond ``cap`` it counts as ``cap``. Private, like the update.
        cap: the largest weight; public.
        clip: as for :func:`sealane.secagg.terms.update`, and so are ``bits`` and ``noise``.
        bits: width of a quantised entry.
        norm: largest Euclidean norm of the update alone; 0 where there is none.
        noise: deviation of the noise on the sum, in steps.

    Raises:
        InputError: the weight is negative or not finite, or the cap is not positive.
    """
    if not (math.isfinite(weight) and weight >= 0 and math.isfinite(cap) and cap > 0):
        raise InputError("update.bad-weight", "a weight is not usable", expected="from 0 to a positive cap, finite")
    share = min(weight, cap) / cap
    vector = np.append(np.clip(clip_norm(values, norm) if norm else values, -clip, clip), values.dtype.type(clip))
    vector *= values.dtype.type(share)
    return update(vector, clip, bits, norm=math.hypot(norm, clip) if norm else 0.0, noise=noise)


def weighted_mean(
    total: NDArray[np.float64], *, cap: float, clip: float, least: float
) -> tuple[NDArray[np.float64], float]:
    """Return the weighted mean of a cohort's updates, shape ``(d,)``, and the sum of its capped weights.

    Args:
        total: the opened sum of :func:`weighted` terms, shape ``(d + 1,)``.
        cap: as they were made with, and so is ``clip``.
        clip: the bound of an entry.
        least: smallest sum of weights that is divided by; public, above what noise alone would give.

    Raises:
        RefusedError: the sum of weights is below ``least``.
    """
    weights = float(total[-1]) / clip * cap
    if weights < least:
        raise RefusedError("update.weights-too-small", "the cohort's weights are too small to divide by",
                           expected=f"at least {least:g}", hint="fewer rows or wider noise than planned for")
    return total[:-1] * (cap / weights), weights
