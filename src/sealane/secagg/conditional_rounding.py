"""Rounding that keeps a vector's norm within an agreed bound: it is drawn again until it does.

Stochastic rounding can make a vector longer than it was, and what privacy costs depends on the longest that any can
become. For a vector of d entries and norm c, in steps, the norm after rounding is at most c + sqrt(d), and with a
probability of 1 - beta or more its square is at most

    c^2 + d / 4 + sqrt(2 ln(1 / beta)) (c + sqrt(d) / 2)

The smaller of both is agreed as the bound; drawing again until it holds takes 1 / (1 - beta) tries on average. The
accountant uses the bound, so privacy rests on the check alone and not on how long the vector was. The number of tries
depends a little on the vector, as does therefore the time.

Source: Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
Aggregation" (2021), section 4.1 (conditional randomised rounding) and theorem 1.
"""

from __future__ import annotations

import math

import numpy as np

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import InputError
from sealane.secagg.quantize import Floats, Quantized, step_of

BETA = math.exp(-0.5)
TRIES = 128
"""With beta = exp(-1/2) all of these fail for a vector within its norm with a probability below 2^-92."""
_FLOAT_SLACK = 2.0**-20


def norm_bound(norm: float, clip: float, bits: int, entries: int, beta: float = BETA) -> int:
    """Return the square of the norm, in steps, that rounded vectors are held to.

    Args:
        norm: the Euclidean norm that vectors are clipped to before.
        clip: the bound of an entry that they are quantised with.
        bits: the width that they are quantised to.
        entries: how many entries they have.
        beta: how probable it may be that a rounding is drawn again; between 0 and 1.
    """
    steps = norm * (1.0 + _FLOAT_SLACK) / float(step_of(clip, bits))
    likely = steps * steps + entries / 4 + math.sqrt(-2.0 * math.log(beta)) * (steps + math.sqrt(entries) / 2)
    return math.ceil(min(likely, (steps + math.sqrt(entries)) ** 2))


def clip_norm(values: Floats, norm: float) -> Floats:
    """Return the vector, scaled down where its Euclidean norm is more than ``norm``; in its own type.

    Raises:
        InputError: it has no finite norm.
    """
    with np.errstate(over="ignore"):
        length = math.sqrt(float(np.einsum("i,i->", values, values, dtype=np.float64)))
    if not math.isfinite(length):
        raise InputError("quantize.not-finite", "an update holds a value that is not finite, or one beyond 1e150",
                         expected="finite numbers", hint="the training diverged: lower its step size")
    return values if length <= norm else values * values.dtype.type(norm / length)


def round_within(values: Floats, clip: float, bits: int, seed: Secret, bound: int) -> Quantized:
    """Return the quantised vector under the first seed that keeps it within a bound.

    Args:
        values: as for :class:`Quantized`, already clipped to the norm that the bound was made for.
        clip: as for :class:`Quantized`, and so is ``bits``.
        bits: width of an integer.
        seed: 32 bytes; each try's own seed is derived from it, so the same one is found again.
        bound: square of the largest norm, in steps: see :func:`norm_bound`.

    Raises:
        InputError: no try is within the bound, as where the vector was not clipped.
    """
    for attempt in range(TRIES):
        rounded = Quantized(values, clip, bits, derive(seed, "conditional rounding", attempt.to_bytes(4, "little")))
        if rounded.norm_squared() <= bound:
            return rounded
    raise InputError("quantize.norm-too-large", "an update cannot be rounded within its norm",
                     hint="clip it to the agreed norm first")
