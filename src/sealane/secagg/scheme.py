"""The contract of a scheme: protect a vector, hand over a share of the opening, open the sum.

A scheme decides what the bytes mean; who may see what, and when, is decided by the roles and is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.ring.words import Width, Words
from sealane.secagg.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Pairs:
    """A node's shared secret with every other member of the cohort."""

    own: Fingerprint
    secrets: Mapping[Fingerprint, Secret] = field(repr=False)


class Scheme(Protocol):
    """One way to sum securely. Pure: all randomness comes in as ``seed``."""

    name: str

    def protect(self, pairs: Pairs, transcript: Transcript, vector: Words, width: Width, seed: Secret) -> Words:
        """Return the protected vector. ``seed`` is fresh for every contribution and on disk before this is sent."""

    def share(self, seed: Secret) -> bytes:
        """Return what a node releases to its peers, sealed, once it agrees to open."""

    def open(
        self, total: Words, width: Width, transcript: Transcript, shares: Mapping[Fingerprint, Secret]
    ) -> Words:
        """Open the sum of all protected vectors with the shares of all members."""


def get_scheme(name: str) -> Scheme:
    """Return the scheme that a study names.

    Raises:
        InputError: there is none of that name.
    """
    from sealane.secagg.masking.scheme import Masking

    if name == Masking.name:
        return Masking()
    raise InputError("scheme.unknown", "no such scheme", got=repr(name[:40]), expected=Masking.name)
