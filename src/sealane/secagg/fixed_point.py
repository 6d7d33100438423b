"""Exact fixed point: reals and integers as two's complement in 64 to 128 bits.

A real v becomes v * 2^f, cut towards zero. A float64 carries 53 bits, so with a wide ring the step loses nothing that
matters; the sum of n such integers is exact, and only reading it back as a float rounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.ring.words import Width, Words, limbs_of, reduce

_TWO_64 = 2.0**64


def encode_reals(values: NDArray[np.float64], fraction: int, width: Width) -> Words:
    """Encode finite floats, shape ``(n,)``, with ``fraction`` fractional bits.

    The caller has checked that every |value| * 2^fraction stays under 2^(width - 1).
    """
    out = np.empty((limbs_of(width), values.size), dtype=np.uint64)
    if width == 64:
        out[0] = (values * 2.0**fraction).astype(np.int64).view(np.uint64)
        return out
    scaled = np.abs(values) * 2.0 ** (fraction - 64)
    high = np.floor(scaled)
    # Exact: for a float that is not negative, taking off the integer part loses no bit.
    out[0] = ((scaled - high) * _TWO_64).astype(np.uint64)
    out[1] = high.astype(np.uint64)
    _negate(out, values < 0)
    return reduce(out, width)


def encode_integers(values: NDArray[np.int64], width: Width) -> Words:
    """Encode integers, shape ``(n,)``, sign-extended."""
    out = np.empty((limbs_of(width), values.size), dtype=np.uint64)
    out[0] = values.view(np.uint64)
    if width != 64:
        out[1] = (values >> np.int64(63)).view(np.uint64)
    return reduce(out, width)


def decode_reals(total: Words, fraction: int, width: Width) -> NDArray[np.float64]:
    """Read a sum back as floats, shape ``(n,)``, rounded to the nearest few units in the last place."""
    if width == 64:
        small: NDArray[np.float64] = total[0].view(np.int64) * 2.0**-fraction
        return small
    parts = total.copy()
    if width == 96:
        parts[1] = ((parts[1].view(np.int64) << np.int64(32)) >> np.int64(32)).view(np.uint64)
    negative = parts[1].view(np.int64) < 0
    # Negate first, so that a small negative number is not the difference of two large ones.
    _negate(parts, negative)
    magnitude = parts[1] * 2.0 ** (64 - fraction) + parts[0] * 2.0**-fraction
    signed: NDArray[np.float64] = np.where(negative, -magnitude, magnitude)
    return signed


def decode_integers(total: Words, width: Width) -> NDArray[np.int64]:
    """Read a sum of integers back exactly, shape ``(n,)``; the caller's bounds keep it within 64 bits."""
    del width  # two's complement: the low limb alone is the integer, whatever the width
    integers: NDArray[np.int64] = total[0].view(np.int64).copy()
    return integers


def _negate(vector: Words, where: NDArray[np.bool_]) -> None:
    """Negate the chosen entries of a two-limb vector, in place."""
    low = ~vector[0, where] + np.uint64(1)
    vector[1, where] = ~vector[1, where] + (low == 0)
    vector[0, where] = low
