"""Updates as small integers: clip, round stochastically, pack several into one 64-bit word.

Each entry becomes an integer in [0, 2^bits - 1]; slots are wide enough for the sum of a whole cohort, so the sum of
packed words never carries from one slot into the next.

Source: Suresh et al., "Distributed Mean Estimation with Limited Communication" (2017), stochastic k-level quantisation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.ring.prg import expand
from sealane.ring.words import Words


def slot_bits(bits: int, cohort: int) -> int:
    """Return the bits that the sum of ``cohort`` entries of ``bits`` bits can take."""
    return (cohort * ((1 << bits) - 1)).bit_length()


def packed_length(entries: int, bits: int, cohort: int) -> int:
    """Return how many 64-bit words ``entries`` slots take."""
    slots = 64 // slot_bits(bits, cohort)
    return -(-entries // slots)


def encode_updates(values: NDArray[np.float64], clip: float, bits: int, cohort: int, seed: Secret) -> Words:
    """Clip to [-clip, clip], round stochastically to ``bits`` bits and pack; shape ``(1, words)``.

    The randomness of the rounding is drawn from ``seed``, so that the same contribution can be made again.
    """
    levels = (1 << bits) - 1
    uniform = (expand(seed, values.size) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    scaled = (np.clip(values, -clip, clip) + clip) * (levels / (2.0 * clip))
    entries = np.minimum(np.floor(scaled + uniform), levels).astype(np.uint64)
    width = slot_bits(bits, cohort)
    slots = 64 // width
    words = packed_length(values.size, bits, cohort)
    padded = np.zeros(words * slots, dtype=np.uint64)
    padded[: values.size] = entries
    packed = np.zeros(words, dtype=np.uint64)
    for slot, column in enumerate(padded.reshape(slots, words)):
        packed |= column << np.uint64(slot * width)
    return packed.reshape(1, words)


def decode_updates(total: Words, entries: int, clip: float, bits: int, cohort: int) -> NDArray[np.float64]:
    """Unpack the sum of a cohort's updates, shape ``(entries,)``; each addend is within 2 clip / (2^bits - 1)."""
    width = slot_bits(bits, cohort)
    slots = 64 // width
    mask = np.uint64((1 << width) - 1)
    unpacked = np.concatenate([(total[0] >> np.uint64(slot * width)) & mask for slot in range(slots)])[:entries]
    levels = (1 << bits) - 1
    return unpacked.astype(np.float64) * (2.0 * clip / levels) - cohort * clip


def updates_over(total: Words, bits: int, cohort: int) -> int:
    """Return how many slots and words of an opened sum hold more than a cohort's contributions can sum to."""
    width = slot_bits(bits, cohort)
    slots = 64 // width
    most = np.uint64(cohort * ((1 << bits) - 1))
    mask = np.uint64((1 << width) - 1)
    over = sum(int((((total[0] >> np.uint64(slot * width)) & mask) > most).sum()) for slot in range(slots))
    if slots * width < 64:
        over += int((total[0] >> np.uint64(slots * width) != 0).sum())
    return over
