"""The parameter table of ``rlwe``: ring, noise, thresholds and packing for a cohort, and refusal of anything else.

``docs/parameters.md`` gives the reasons and what breaking them costs; ``estimates/`` beside this file holds the
estimator's output. Every check is made by the constructor, so parameters that exist are parameters of the table.

Source: Bell-Clark et al., "Willow: Secure Aggregation with One-Shot Clients" (2025), key-additive encryption and its
noise; Kim, Lee, Seo and Song, "Toward Practical Lattice-Based Proof of Knowledge from Hint-MLWE" (2023), security after
the sum of the keys is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import comb
from typing import Any

from sealane.core.canonical import content_hash, sha256
from sealane.core.ids import Fingerprint
from sealane.crypto.sharing import PRIME, Sharing
from sealane.errors import RefusedError
from sealane.ring.gaussian import SIGMA_ERROR, SIGMA_SECRET, gaussian
from sealane.ring.packing import Packing, pack
from sealane.ring.primes import Ring

DEGREE = 8192
PRIMES: dict[int, tuple[int, ...]] = {
    30: (1073692673, 1073643521, 1073479681, 1073430529, 1073299457, 1073233921, 1073184769),
    28: (268369921, 268271617, 268238849, 268189697, 268091393, 268042241, 267943937),
}
"""The largest seven primes of each width that are 1 modulo 16384."""

WIDE_COHORT = 50
"""Up to so many nodes take the 30-bit primes; beyond, the 28-bit ones pack about as tightly and are harder to break."""

SECRET_SIGMA = float(SIGMA_SECRET)  # 4.5 sqrt 2: half of it, 3.18, is what two honest nodes keep beside their sum
ERROR_SIGMA = float(SIGMA_ERROR)

MOST_HOLDERS = 100
COMMITTEE_RISK = 80
"""The committee holds more colluding nodes than reckoned with at most once in 2^80 draws, against grinding for one."""

KEY_SHARE_BYTES = 110_000
"""What a holder's shares and replies should come to in a round: packing takes room from drop-outs to keep to it."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that a sum is made with; equal at every node, and bound into the transcript by ``digest``.

    Attributes:
        cohort: nodes that contribute.
        colluding: nodes that may work together, with the coordinator, c.
        minimum_survivors: the fewest nodes whose sum opens.
        ring: the ring of the ciphertexts.
        secret_sigma: deviation of a key's coefficients.
        error_sigma: deviation of an error's coefficients.
        packing: how values lie in the ring.
        holders: nodes that hold shares of the keys: the cohort, or its committee.
        colluding_holders: how many of them may be colluding.
        privacy: so many shares of a key reveal nothing, t.
        packed: key coefficients to a polynomial of the sharing, l.
        drop_outs: holders that may be missing when a sum is opened.

    Raises:
        RefusedError: they are not the table's, or break a condition that the scheme's safety rests on.
    """

    cohort: int
    colluding: int
    minimum_survivors: int
    ring: Ring
    secret_sigma: Decimal
    error_sigma: Decimal
    packing: Packing
    holders: int
    colluding_holders: int
    privacy: int
    packed: int
    drop_outs: int

    def __post_init__(self) -> None:
        _check_cohort(self.cohort, self.colluding)
        self._check_ring()
        self._check_thresholds()

    def _check_ring(self) -> None:
        if self.ring != _ring(self.cohort):
            raise RefusedError("parameters.ring", "the ring is not the table's for this cohort",
                               got=f"degree {self.ring.degree}, primes {self.ring.primes}",
                               expected=f"degree {DEGREE} and the table's primes", hint="see docs/parameters.md")
        if (self.secret_sigma, self.error_sigma) != (SIGMA_SECRET, SIGMA_ERROR):
            raise RefusedError("parameters.sigma", "keys and errors are not as wide as the table says",
                               got=f"{self.secret_sigma} and {self.error_sigma}",
                               expected=f"{SIGMA_SECRET} and {SIGMA_ERROR}", hint="see docs/parameters.md")
        if self.packing != pack(self.ring, self.packing.base, _noise(self.cohort)):
            raise RefusedError("parameters.packing", "the packing is not the one for the noise of this cohort",
                               got=f"{self.packing.slots} slots, noise {self.packing.noise}",
                               expected=f"noise {_noise(self.cohort)}", hint="see docs/parameters.md")

    def _check_thresholds(self) -> None:
        if not self.colluding + 2 <= self.minimum_survivors <= self.cohort:
            raise RefusedError("parameters.survivors", "a sum of so few would tell those who collude of one node",
                               got=self.minimum_survivors, expected=f"{self.colluding + 2} to {self.cohort}",
                               hint="see docs/parameters.md")
        if (self.holders, self.colluding_holders) != _holders(self.cohort, self.colluding):
            raise RefusedError("parameters.holders", "the keys are not shared among the cohort or its committee",
                               got=f"{self.holders} holders, {self.colluding_holders} of them colluding",
                               expected="those of the table", hint="see docs/parameters.md")
        # An honest holder replies for one set of survivors only, a colluding one for any: with 2 (t + 1) > n + c
        # there are too few replies for a second set to pass t, where a ramp begins to leak.
        if 2 * (self.privacy + 1) <= self.holders + self.colluding_holders:
            raise RefusedError("parameters.threshold", "two sets of survivors could both be opened, or in part",
                               got=f"privacy {self.privacy}",
                               expected=f"at least {(self.holders + self.colluding_holders) // 2}",
                               hint="see docs/parameters.md")
        if self.packed < 1 or self.drop_outs < 0 or self.replies > self.holders - self.drop_outs:
            raise RefusedError("parameters.replies", "a sum would not open after the drop-outs that it shall bear",
                               got=f"{self.replies} replies of {self.holders} holders, {self.drop_outs} drop-outs",
                               expected=f"1 to {self.holders - self.drop_outs} replies", hint="see docs/parameters.md")

    @property
    def replies(self) -> int:
        """How many replies open a sum, Q = t + l; one more shows a wrong one for certain."""
        return self.privacy + self.packed

    @property
    def sharing(self) -> Sharing:
        """How a key is shared among the holders, and the sum of the cohort's keys recovered."""
        return Sharing(self.holders, self.privacy, self.packed, self.cohort * gaussian(self.secret_sigma).tail)

    @property
    def key_share_bytes(self) -> int:
        """Bytes of the shares and replies that one holder sends to all others in a round."""
        return _key_share_bytes(self.holders, self.packed)

    @property
    def digest(self) -> bytes:
        """Return 32 bytes that commit to every field."""
        return content_hash(self.describe())

    def describe(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {
            "cohort": self.cohort, "colluding": self.colluding, "minimum_survivors": self.minimum_survivors,
            "degree": self.ring.degree, "bits": self.ring.bits, "primes": list(self.ring.primes),
            "secret_sigma": str(self.secret_sigma), "error_sigma": str(self.error_sigma),
            "base": self.packing.base, "slots": self.packing.slots, "step": self.packing.step,
            "noise": self.packing.noise, "holders": self.holders, "colluding_holders": self.colluding_holders,
            "privacy": self.privacy, "packed": self.packed, "drop_outs": self.drop_outs, "field": PRIME,
        }


@lru_cache(maxsize=64)
def parameters(cohort: int, colluding: int, most: int, minimum_cohort: int = 2) -> Parameters:
    """Return the table's parameters.

    Half of the holders beyond the privacy threshold pays for packing, the smaller half for drop-outs. Where shares and
    replies would pass ``KEY_SHARE_BYTES``, packing takes more, down to one drop-out in 25 nodes, but two at least.

    Args:
        cohort: nodes that contribute, n.
        colluding: nodes that may work together, c, at most n - 2.
        most: the largest sum that a slot can come to.
        minimum_cohort: the fewest survivors that the study allows.

    Raises:
        RefusedError: the cohort is too small or too large, or more collude than it can bear.
        InputError: no sum of this size fits the ring.
    """
    _check_cohort(cohort, colluding)
    holders, colluding_holders = _holders(cohort, colluding)
    privacy = (holders + colluding_holders) // 2
    room = holders - privacy
    half = -(-room // 2)
    spare = min(room - half, max(2, holders // 25))
    packed = next((size for size in range(half, room - spare)
                   if _key_share_bytes(holders, size) <= KEY_SHARE_BYTES), room - spare)
    ring = _ring(cohort)
    return Parameters(
        cohort=cohort, colluding=colluding, minimum_survivors=max(colluding + 2, minimum_cohort), ring=ring,
        secret_sigma=SIGMA_SECRET, error_sigma=SIGMA_ERROR,
        packing=pack(ring, most + 1, _noise(cohort)),
        holders=holders, colluding_holders=colluding_holders, privacy=privacy, packed=packed, drop_outs=room - packed)


def committee(fingerprints: Iterable[Fingerprint], transcript: bytes) -> tuple[Fingerprint, ...]:
    """Return the nodes that hold shares, in the order of their points 1, 2, ...: everybody, or 100 by lot.

    A node's lot is SHA-256 over the transcript and its fingerprint, and the lowest lots hold. All nodes draw the same
    lots, and the coordinator can but try transcripts, which ``COMMITTEE_RISK`` allows for.
    """
    names = sorted(set(fingerprints))
    lots = sorted(names, key=lambda name: sha256(b"sealane rlwe committee v1", transcript, name.encode("ascii")))
    return tuple(sorted(lots[:MOST_HOLDERS]))


def _check_cohort(cohort: int, colluding: int) -> None:
    largest = (PRIME - 1) // 2 // gaussian(SIGMA_SECRET).tail
    if not 2 <= cohort <= largest:
        raise RefusedError("parameters.cohort", "the table has no row for a cohort of this size", got=cohort,
                           expected=f"2 to {largest} nodes, the sum of whose keys fits a share",
                           hint="see docs/parameters.md")
    if not 0 <= colluding <= cohort - 2:
        raise RefusedError("parameters.colluding", "at least two nodes must be honest", got=colluding,
                           expected=f"0 to {cohort - 2}", hint="see docs/parameters.md")


def _noise(cohort: int) -> int:
    return cohort * gaussian(SIGMA_ERROR).tail


def _ring(cohort: int) -> Ring:
    bits = 30 if cohort <= WIDE_COHORT else 28
    return Ring(DEGREE, bits, PRIMES[bits])


@lru_cache(maxsize=64)
def _holders(cohort: int, colluding: int) -> tuple[int, int]:
    """Return how many nodes hold shares, and how many of those to take for colluding.

    For a committee that is the smallest bound that a draw without replacement passes at most once in 2^COMMITTEE_RISK.
    """
    if cohort <= MOST_HOLDERS:
        return cohort, colluding
    draws = comb(cohort, MOST_HOLDERS)
    beyond = 0
    for bound in range(min(colluding, MOST_HOLDERS), -1, -1):
        beyond += comb(colluding, bound) * comb(cohort - colluding, MOST_HOLDERS - bound)
        if beyond << COMMITTEE_RISK > draws:
            return MOST_HOLDERS, bound
    return MOST_HOLDERS, 0


def _key_share_bytes(holders: int, packed: int) -> int:
    return 2 * (holders - 1) * 2 * -(-DEGREE // packed)

