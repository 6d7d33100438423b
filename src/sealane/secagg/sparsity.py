"""Which entries of an update travel in a round: the same at every node, from public knowledge alone.

A node that named its own largest entries would tell what its rows changed, and sums need the same entries everywhere.
So entries are drawn by a public seed (a random mask), or are those that the last opened sum changed most, with some
drawn beside them so that no entry is forgotten for good. What a node does not send it keeps and adds to its next update
(error feedback), so that nothing is lost, only late.

Entry i is drawn where 32-bit little-endian word i of ChaCha20(key = seed, nonce = 0) is below the share of 2^32: the
number drawn is public and varies a little.

Source: Konečný et al., "Federated Learning: Strategies for Improving Communication Efficiency" (2016), section 2, for
random masks; Seide et al., "1-Bit Stochastic Gradient Descent" (2014), section 3, and Stich et al., "Sparsified SGD
with Memory" (NeurIPS 2018), for error feedback.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.secagg.keystream import Keystream

EXPLORED = 0.25
"""Of the entries that are kept after the largest of the last sum, the share that is drawn instead."""
_CHUNK = 1 << 16


def drawn(length: int, share: float, seed: bytes) -> NDArray[np.bool_]:
    """Return which entries travel, shape ``(length,)``: each with probability ``share``.

    Args:
        length: entries of the update.
        share: above 0, at most 1.
        seed: 32 public bytes, the same at every node and other ones in every round.

    Raises:
        InputError: no such share.
    """
    if not 0.0 < share <= 1.0:
        raise InputError("sparsity.bad-share", "no such share of an update can be sent", got=share,
                         expected="above 0, at most 1")
    stream, limit = Keystream(Secret(seed)), math.ceil(share * 2.0**32)
    out, words = np.empty(length, dtype=np.bool_), np.empty(min(_CHUNK, length), dtype="<u4")
    for low in range(0, length, _CHUNK):
        part = words[: min(_CHUNK, length - low)]
        stream.fill(part)
        np.less(part, limit, out=out[low : low + part.size])
    return out


def largest_and_drawn(last: NDArray[np.float64], share: float, seed: bytes) -> NDArray[np.bool_]:
    """Return which entries travel: those that the last opened sum changed most, and some that are drawn.

    Args:
        last: what the cohort last opened of every entry, shape ``(n,)``; the same bytes at every node.
        share: of the entries, about; above 0, at most 1.
        seed: as for :func:`drawn`.

    Raises:
        InputError: no such share.
    """
    kept = drawn(last.size, share * EXPLORED, seed)
    count = math.floor(last.size * share * (1.0 - EXPLORED))
    if count:
        sizes = np.abs(last)
        # A value, not places: entries of one size are kept together, in whatever order a node's NumPy sorts.
        least = np.partition(sizes, last.size - count)[last.size - count]
        kept |= (sizes >= least) & (sizes > 0.0)
    return kept
