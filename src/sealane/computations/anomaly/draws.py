"""Public random numbers: the same at every node and for every reader, whatever library versions they have."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import canonical_bytes

_SCALE = 2.0**-53


def public_seed(facts: object) -> bytes:
    """Return a seed that follows from what all nodes hold alike and nobody chose alone."""
    return hashlib.sha256(b"sealane.anomaly/v1" + canonical_bytes(facts)).digest()


def uniform(seed: bytes, names: Sequence[tuple[int, ...]], each: int) -> NDArray[np.float64]:
    """Return numbers in [0, 1), shape ``(len(names), each)``, at most four for each name."""
    words = b"".join(hashlib.sha256(seed + b"".join(part.to_bytes(8, "big") for part in name)).digest()
                     for name in names)
    drawn = np.frombuffer(words, dtype=">u8").reshape(-1, 4)[:, :each]
    return np.asarray((drawn >> np.uint64(11)).astype(np.float64) * _SCALE)
