"""Our own schemes, called as a node and a coordinator call them, without signatures, journals and wires."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import CLIP, Asked
from sealane.bench.vectors import seed_of
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets, whole
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import decode, encode, plan
from sealane.secagg.messages import Member
from sealane.secagg.scheme import Form, Pairs, Scheme, Sum, Total
from sealane.secagg.terms import Term, update


class OurScheme:
    """A sum of one update under ``masking`` or ``rlwe``: quantised, protected and written in one pass."""

    def __init__(self, name: str, asked: Asked) -> None:
        names = [Fingerprint(f"{node:052d}") for node in range(asked.cohort)]
        members = tuple(Member(own, bytes(32), bytes(32), bytes(64)) for own in names)
        attempt = Attempt("r-aaaaaaaaaaaaaaaa", "00" * 32, 0, name, members, 1, 3)
        self.parts = asked.cohort
        self.scheme, self.backend, self.reason = _scheme(name, asked)
        layout = plan(_terms(np.zeros(asked.length, dtype=np.float32), asked.bits), asked.cohort)
        self._bits = asked.bits
        self._released: dict[Fingerprint, bytes] = {}
        self._sum = Sum(attempt, layout, attempt.transcript())
        self._pairs = [
            Pairs(own, {other: seed_of("pair", *sorted((own, other))) for other in names if other != own})
            for own in names
        ]

    def encrypt(self, node: int, vector: NDArray[np.float32]) -> Octets:
        """Return a node's contribution, written for the wire already."""
        values = encode(self._sum.layout, _terms(vector, self._bits), seed_of("rounding", node))
        return self.scheme.protect(self._sum, self._pairs[node], values, seed_of("protection", node))

    def serialise(self, encrypted: Octets) -> list[bytes]:
        """Return the contribution as it is, in one piece."""
        return [whole(encrypted)]

    def add(self, payloads: Sequence[Sequence[bytes]]) -> Total:
        """Check and add contributions one by one."""
        total = self.empty(len(payloads[0][0]))
        for (payload,) in payloads:
            total.add(payload)
        return total

    def empty(self, payload_bytes: int) -> Total:
        """Return a total for contributions of that size."""
        return self.scheme.total(self._sum.attempt, Form(self.scheme.word_bits(self._sum), payload_bytes, False))

    def shares(self) -> dict[Fingerprint, bytes]:
        """Return what the openers release for the whole cohort."""
        made = [self.scheme.key_shares(self._sum, seed_of("protection", node)) for node in range(self.parts)]
        held = {opener: {pairs.own: shares[opener] for pairs, shares in zip(self._pairs, made, strict=True) if shares}
                for opener in self.scheme.openers(self._sum.attempt)}
        return {pairs.own: self.scheme.share(self._sum, seed_of("protection", node), held[pairs.own])
                for node, pairs in enumerate(self._pairs) if pairs.own in held}

    def open(self, total: Total) -> NDArray[np.float64]:
        """Recover the keys or take off the masks, and read the sum back."""
        if not self._released:
            self._released = self.shares()  # made once: nodes share their keys while the vectors travel
        opened, _ = self.scheme.open(self._sum, total, self._sum.attempt.cohort, self._released)
        return decode(self._sum.layout, opened, overwrite=True)["model"]

    def forget_shares(self) -> None:
        """Let the next opening make the shares again, as every round does."""
        self._released = {}


def _scheme(name: str, asked: Asked) -> tuple[Scheme, str, str]:
    if name == "masking":
        from sealane.secagg.masking.scheme import Masking

        return Masking(), "cpu", "masking has no other"
    from sealane.ring.select import choose
    from sealane.secagg.rlwe.scheme import Rlwe

    chosen = choose(asked.backend)
    return Rlwe(chosen.backend.name), chosen.backend.name, chosen.reason


def _terms(vector: NDArray[np.float32], bits: int) -> dict[str, Term]:
    return {"model": update(vector, CLIP, bits)}
