"""Random entries in place of a node's own: the sum tells nothing of anybody then, and no other node's part is bared."""

from __future__ import annotations

import numpy as np

from sealane.core.secret import Secret
from sealane.ring.words import Width, Words, limbs_of, reduce
from sealane.secagg.keystream import Keystream

_CHUNK = 1 << 14


def drowned(bits: int, length: int, width: Width, seed: Secret) -> Words:
    """Return entries that are uniform from -2^bits to 2^bits - 1, shape ``(limbs, length)``.

    Args:
        bits: under ``width``; all entries are 0 where it is negative.
        length: number of entries.
        width: of the ring.
        seed: 32 bytes for these entries and nothing else.
    """
    limbs = limbs_of(width)
    out = np.zeros((limbs, length), dtype=np.uint64)
    if bits < 0:
        return out
    stream = Keystream(seed)
    for limb in range(limbs):
        kept = np.uint64((1 << min(64, max(0, bits + 1 - 64 * limb))) - 1)
        for start in range(0, length, _CHUNK):
            piece = out[limb, start : start + _CHUNK]
            stream.fill(piece)
            piece &= kept
    low = np.uint64(1 << bits) if bits < 64 else np.uint64(0)
    if limbs == 2:
        out[1] -= (out[0] < low).astype(np.uint64) + np.uint64(1 << bits - 64 if bits >= 64 else 0)
    out[0] -= low
    return reduce(out, width)
