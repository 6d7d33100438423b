"""The ``rlwe`` scheme: ciphertexts that add up under keys that add up.

Node i draws a fresh key s_i and sends c_i = a s_i + e_i + step M_i, with packed shares of s_i for every holder. The
ciphertexts of the survivors add up to a ciphertext under sum s_i; a holder's share of that is the sum of what the
survivors gave it. Enough holders release theirs to the nodes, which recover the sum of the keys and open the sum. The
public polynomial a is expanded from the transcript, so no two sums share one, and nobody chooses it.

Statistics go in as digits, whose sums are opened: their carries would tell of single vectors. So statistics are masked
by pairs first, as under ``masking``, and open for the whole cohort only; updates are summed as they are.

Source: Bell et al., "ACORN" (2023), for sums under key-additive encryption; Bell-Clark et al., "Willow" (2025), for
keys as wide as that their sum may be known; ``docs/protocol.md`` says what differs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import ProtocolError
from sealane.ring.base import ArrayValues, Values
from sealane.ring.select import choose
from sealane.ring.words import Words
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import Layout, Vector
from sealane.secagg.pair_masks import apply_masks, pair_masks
from sealane.secagg.rlwe.digits import DIGIT_BITS, MOST, digits, from_digits
from sealane.secagg.rlwe.parameters import Parameters, committee, parameters
from sealane.secagg.rlwe.total import ResidueTotal
from sealane.secagg.scheme import Form, Pairs, Sum, Total


class Rlwe:
    """Key-additive encryption over RLWE; ``backend`` names one of :mod:`sealane.ring.select`."""

    name = "rlwe"
    whole_cohort = False

    def __init__(self, backend: str = "cpu") -> None:
        choice = choose(backend)
        self._backend = choice.backend
        self.runs_on = choice.reason

    def openers(self, attempt: Attempt) -> tuple[Fingerprint, ...]:
        """Return the holders of key shares: all members, or of more than a hundred a committee."""
        return committee(attempt.cohort, attempt.transcript().value)

    def replies(self, attempt: Attempt) -> int:
        """Return t + l."""
        return _cohort(attempt).replies

    def word_bits(self, sum_: Sum) -> int:
        """Return the bits of a residue."""
        return _cohort(sum_.attempt).ring.bits

    def protect(self, sum_: Sum, pairs: Pairs, vector: Vector, seed: Secret, *, common: bool = False) -> Octets:
        """Return the ciphertext of the vector, under the key that the seed gives in this sum: never a common one."""
        assert not common
        found = _parameters(sum_)
        values: Values = ArrayValues(masked_digits(sum_, pairs, vector)) if isinstance(vector, np.ndarray) else vector
        key = self._backend.secret_key(found.ring, _key_seed(sum_, seed))
        payload = self._backend.encrypt(found.packing, values, public_seed=_public_seed(sum_), key=key,
                                        error_seed=derive(seed, "rlwe errors", sum_.transcript.value))
        key.fill(0)
        return payload

    def key_shares(self, sum_: Sum, seed: Secret) -> Mapping[Fingerprint, bytes]:
        """Return each holder's packed share of this contribution's key."""
        found = _cohort(sum_.attempt)
        key = self._backend.secret_key(found.ring, _key_seed(sum_, seed))
        shares = found.sharing.share(key, derive(seed, "rlwe sharing", sum_.transcript.value))
        key.fill(0)
        return {holder: found.sharing.write_share(share)
                for holder, share in zip(self.openers(sum_.attempt), shares, strict=True)}

    def total(self, attempt: Attempt, form: Form) -> Total:
        """Return a total of nothing."""
        ring = _cohort(attempt).ring
        if form.word_bits != ring.bits:
            raise ProtocolError("rlwe.wrong-ring", "a ciphertext is not of this cohort's ring",
                                got=f"{form.word_bits} bits", expected=f"{ring.bits} bits")
        return ResidueTotal(self._backend, ring, form.payload_bytes)

    def share(self, sum_: Sum, seed: Secret, held: Mapping[Fingerprint, bytes]) -> bytes:
        """Return this holder's share of the sum of the survivors' keys."""
        found = _cohort(sum_.attempt)
        shares = (found.sharing.read_share(share, found.ring.degree) for share in held.values())
        return found.sharing.write_share(found.sharing.add(shares))

    def open(
        self, sum_: Sum, total: Total, survivors: frozenset[Fingerprint], shares: Mapping[Fingerprint, bytes]
    ) -> tuple[Vector, list[bytes]]:
        """Recover the sum of the keys, check it against its bounds, and open the sum."""
        found, layout = _parameters(sum_), sum_.layout
        points = {holder: point for point, holder in enumerate(self.openers(sum_.attempt), start=1)}
        degree = found.ring.degree
        key_sum = found.sharing.recover(
            {points[holder]: found.sharing.read_share(share, degree) for holder, share in shares.items()}, degree)
        assert isinstance(total, ResidueTotal)
        length = _length(layout)
        if found.packing.payload_bytes(length) != total.payload_bytes:
            raise ProtocolError("rlwe.wrong-length", "a ciphertext has the wrong length",
                                got=f"{total.payload_bytes} bytes",
                                expected=f"{found.packing.payload_bytes(length)} bytes")
        opened = np.empty(length, dtype=np.uint32)
        at = 0
        for values in self._backend.open(found.packing, length, total.residues, public_seed=_public_seed(sum_),
                                         key_sum=key_sum):
            opened[at : at + values.size] = values
            at += values.size
        common = [key_sum.astype("<i4").tobytes()]
        if layout.most:
            return ArrayValues(opened), common
        return from_digits(opened, layout.width, layout.length), common


def masked_digits(sum_: Sum, pairs: Pairs, vector: Words) -> NDArray[np.uint32]:
    """Return a statistic's digits, under the masks of pairs: sums of digits then tell no more than the sum."""
    masked = vector.copy()
    apply_masks(masked, sum_.layout.width, pair_masks(sum_, pairs))
    return digits(masked, sum_.layout.width)


def _cohort(attempt: Attempt) -> Parameters:
    """Return the parameters but for the packing, which anybody may know who knows the attempt."""
    return parameters(attempt.size, attempt.colluding, MOST, attempt.smallest)


def _parameters(sum_: Sum) -> Parameters:
    attempt = sum_.attempt
    most = sum_.layout.most or attempt.size * MOST
    return parameters(attempt.size, attempt.colluding, most, attempt.smallest)


def _length(layout: Layout) -> int:
    return layout.length if layout.most else layout.width // DIGIT_BITS * layout.length


def _public_seed(sum_: Sum) -> bytes:
    """Return the seed of the public polynomial: fixed by everything agreed so far, and by the parameters."""
    return sha256(b"sealane rlwe public polynomial v1", sum_.transcript.value, _parameters(sum_).digest)


def _key_seed(sum_: Sum, seed: Secret) -> Secret:
    return derive(seed, "rlwe key", sum_.transcript.value)
