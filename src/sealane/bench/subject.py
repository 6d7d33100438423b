"""What is measured: a system that sums vectors, in the steps that each of them has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import Asked
from sealane.errors import InputError


class Subject(Protocol):
    """One system.

    Attributes:
        parts: how many nodes must contribute something of their own; where they are fewer than the cohort, the others
            send the same bytes again.
        backend: what it computes on, in a word.
        reason: why on that, where there was a choice.
    """

    parts: int
    backend: str
    reason: str

    def encrypt(self, node: int, vector: NDArray[np.float32]) -> Any:
        """Protect a node's vector, from floats on."""

    def serialise(self, encrypted: Any) -> Sequence[bytes]:
        """Write it for the wire; nothing is left to do where it was written on the way."""

    def add(self, payloads: Sequence[Sequence[bytes]]) -> Any:
        """Add up a cohort's contributions as they came over the wire."""

    def open(self, total: Any) -> NDArray[np.float64]:
        """Return the sum as floats."""


def make(name: str, asked: Asked) -> Subject:
    """Return one of our schemes or a peer.

    Raises:
        InputError: an extra that it needs is not installed, or there is none of that name.
    """
    if name in ("rlwe", "masking"):
        from sealane.bench.with_scheme import OurScheme

        return OurScheme(name, asked)
    if name == "numpy":
        from sealane.bench.with_numpy import NumpySum

        return NumpySum()
    if name == "flower-secaggplus":
        from sealane.bench.with_flower import FlowerMasks

        return FlowerMasks(asked)
    from sealane.bench.with_tenseal import SETS, TensealSum

    if name in SETS:
        return TensealSum(SETS[name], asked)
    raise InputError("bench.unknown", "no such system can be measured", got=repr(name[:40]),
                     expected=", ".join(["rlwe", "masking", "numpy", "flower-secaggplus", *SETS]))
