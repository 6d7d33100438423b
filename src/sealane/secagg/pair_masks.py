"""Masks of pairs over Z_2^w: one of two members adds it, the other takes it off; over the whole cohort all cancel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.ring.prg import fill
from sealane.ring.words import Width, Words, add, reduce, subtract
from sealane.secagg.scheme import Pairs, Sum

Key = tuple[Secret, bool]
"""The key of one mask, and whether it is added."""


def pair_masks(sum_: Sum, pairs: Pairs) -> Iterator[Key]:
    """Yield the keys of a member's masks in a sum, one for every other member."""
    for peer, secret in pairs.secrets.items():
        # Both names are in the label: a member that signs another's agreement key as its own, in whatever encoding,
        # would otherwise make two masks of a third the same, and where the signs differ they would cancel.
        low, high = sorted((pairs.own, peer))
        yield derive(secret, "pair mask", sum_.transcript.value, low.encode(), high.encode()), pairs.own == low


def apply_masks(vector: Words, width: Width, keys: Iterable[Key]) -> None:
    """Add masks to a vector in place, or take them off."""
    stream = np.empty(vector.shape, "<u8")
    for key, adds in keys:
        fill(key, stream)
        (add if adds else subtract)(vector, reduce(stream, width), width)
