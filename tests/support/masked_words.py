"""The masking scheme on bare words: without roles, keys or a layout of terms."""

from __future__ import annotations

import numpy as np
from circle import Circle

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.ring.words import Width, from_bytes
from sealane.secagg.layout import Layout
from sealane.secagg.masking.scheme import Masking
from sealane.secagg.scheme import Form, Pairs, Sum
from sealane.secagg.transcript import Transcript


def protect(pairs: Pairs, transcript: Transcript, vector: np.ndarray, width: Width, seed: Secret) -> np.ndarray:
    sum_ = Sum(Circle(2).attempt, Layout((), width, vector.shape[1], 2), transcript)
    return from_bytes(Masking().protect(sum_, pairs, vector, seed), width, vector.shape[1])


def opened(payload: bytes, width: Width, transcript: Transcript, shares: dict[Fingerprint, bytes]) -> np.ndarray:
    length = 8 * len(payload) // width
    sum_ = Sum(Circle(2).attempt, Layout((), width, length, 2), transcript)
    total = Masking().total(sum_.attempt, Form(width, len(payload), True))
    total.add(payload)
    found, _ = Masking().open(sum_, total, frozenset(shares), shares)
    assert isinstance(found, np.ndarray)
    return found
