"""Statistics under ``rlwe``: words of Z_2^w as digits of 16 bits, least significant first, digit after digit.

Digits of a cohort's words add up without carries; put together again they give the sum modulo 2^w. Sums of digits tell
more than that sum: the words have to be masked by pairs before they are cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.ring.words import Width, Words, add, limbs_of, reduce

DIGIT_BITS = 16
MOST = (1 << DIGIT_BITS) - 1
"""The largest digit."""


def digits(vector: Words, width: Width) -> NDArray[np.uint32]:
    """Cut a vector of shape ``(limbs, n)`` into digits, shape ``(width / 16 * n,)``."""
    parts = [(vector[bit // 64] >> np.uint64(bit % 64)) & np.uint64(MOST) for bit in range(0, width, DIGIT_BITS)]
    return np.concatenate(parts).astype(np.uint32)


def from_digits(sums: NDArray[np.uint32], width: Width, length: int) -> Words:
    """Put sums of digits together, shape ``(limbs, length)``, modulo 2^width."""
    total = np.zeros((limbs_of(width), length), dtype=np.uint64)
    for place, column in enumerate(sums.reshape(width // DIGIT_BITS, length).astype(np.uint64)):
        bit = place * DIGIT_BITS
        shifted = np.zeros_like(total)
        shifted[bit // 64] = column << np.uint64(bit % 64)
        if bit < 64 and len(total) > 1 and bit:
            shifted[1] = column >> np.uint64(64 - bit)
        add(total, reduce(shifted, width), width)
    return total
