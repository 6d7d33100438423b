"""The contract of a scheme: protect a vector, add protected vectors up, hand over a share of the opening, open the sum.

A scheme decides what the bytes mean; who may see what, and when, is decided by the roles and is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import Layout, Vector
from sealane.secagg.messages import Contribution
from sealane.secagg.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Pairs:
    """A node's shared secret with every other member of the cohort."""

    own: Fingerprint
    secrets: Mapping[Fingerprint, Secret] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sum:
    """One sum, from inside one node.

    Attributes:
        attempt: the attempt it belongs to.
        layout: how the terms lie in the vector.
        transcript: what masks, keys and signatures are bound to; it commits to the layout.
    """

    attempt: Attempt
    layout: Layout
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Form:
    """What anybody sees of a protected vector: bits of its words, its bytes, and how it is added and opened."""

    word_bits: int
    payload_bytes: int
    relay_whole: bool
    opens_on_arrival: bool = False
    tagged: bool = False


def form_of(message: Contribution) -> Form:
    """Return the form of a contribution's payload."""
    return Form(message.word_bits, len(message.payload), message.relay_whole, message.opens_on_arrival, message.tagged)


class Total(Protocol):
    """Protected vectors added up as they come: it takes the memory of one, however many there are."""

    def add(self, payload: Octets) -> None:
        """Add a protected vector, or a total that was written.

        Raises:
            ProtocolError: it is not exactly of the form that it must have. The total is spoilt.
        """

    def write(self) -> Octets:
        """Return the total, in the form of a protected vector."""


class Scheme(Protocol):
    """One way to sum securely. Pure: all randomness comes in as ``seed``, and the same seed gives the same bytes.

    Attributes:
        whole_cohort: True where a sum opens for the whole cohort only.
        runs_on: what does the arithmetic and why, in words.
    """

    name: str
    whole_cohort: bool
    runs_on: str

    def openers(self, attempt: Attempt) -> tuple[Fingerprint, ...]:
        """Return the members that hold shares of the opening."""

    def replies(self, attempt: Attempt) -> int:
        """Return how many of them must release for a sum to open.

        Raises:
            RefusedError: the scheme is not sound for such a cohort.
        """

    def word_bits(self, sum_: Sum) -> int:
        """Return the bits of a word on the wire: what a coordinator must know to add up."""

    def protect(self, sum_: Sum, pairs: Pairs, vector: Vector, seed: Secret, *, common: bool = False) -> Octets:
        """Return the protected vector.

        Args:
            sum_: that it is for.
            pairs: secrets shared with the other members.
            vector: of this node; statistics may have a tag behind them.
            seed: fresh for every contribution, and on disk before this is sent; or ``common`` to all members.
            common: whether it is: of schemes that open for the whole cohort only.
        """

    def key_shares(self, sum_: Sum, seed: Secret) -> Mapping[Fingerprint, bytes]:
        """Return the share of this contribution's key for each opener, itself included; none where keys are whole."""

    def total(self, attempt: Attempt, form: Form) -> Total:
        """Return an empty total for payloads of that form.

        Raises:
            ProtocolError: no payload has that form.
        """

    def share(self, sum_: Sum, seed: Secret, held: Mapping[Fingerprint, bytes]) -> bytes:
        """Return what an opener releases, sealed to its peers; ``held`` are the survivors' key shares for it."""

    def open(
        self, sum_: Sum, total: Total, survivors: frozenset[Fingerprint], shares: Mapping[Fingerprint, bytes]
    ) -> tuple[Vector, list[bytes]]:
        """Open the survivors' sum with shares of the opening, by opener.

        Returns:
            the sum, and what all nodes know by now and nobody else: whoever sees signatures over what follows could
            otherwise test guesses of the sum.

        Raises:
            ProtocolError: too few shares, or some that cannot be of this sum.
        """


@lru_cache
def get_scheme(name: str, backend: str = "cpu") -> Scheme:
    """Return the scheme that a study names.

    Args:
        name: of the scheme.
        backend: where the arithmetic of ``rlwe`` runs: ``cpu``, ``cuda`` or ``auto``. The bytes are the same.

    Raises:
        InputError: there is none of that name, or no such backend.
        UnavailableError: the backend needs a device that is not there.
    """
    if name == "masking":
        from sealane.secagg.masking.scheme import Masking

        return Masking()
    if name == "rlwe":
        from sealane.secagg.rlwe.scheme import Rlwe

        return Rlwe(backend)
    if name == "none":
        from sealane.secagg.unsecured import Unsecured

        return Unsecured()
    raise InputError("scheme.unknown", "no such scheme", got=repr(name[:40]), expected="masking or rlwe")
