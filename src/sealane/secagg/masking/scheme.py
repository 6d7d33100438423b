"""The ``masking`` scheme over Z_2^w.

Node i sends ``x_i + sum_{j>i} m_ij - sum_{j<i} m_ij + s_i``. The pairwise masks m cancel in the sum of the whole
cohort; the self masks s come off once every member has released the seed of its own to its peers. Without the self
mask, a coordinator that falsely reports a drop-out would obtain two sums that differ by one institution.

Source: Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS 2017), section 4,
without its recovery of pairwise keys: an attempt that is not whole stays closed.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import ProtocolError
from sealane.ring.prg import SEED_BYTES, expand
from sealane.ring.words import Width, Words, add, limbs_of, reduce, subtract
from sealane.secagg.scheme import Pairs
from sealane.secagg.transcript import Transcript


class Masking:
    """Pairwise AES-256-CTR masks and a one-time self mask."""

    name = "masking"

    def protect(self, pairs: Pairs, transcript: Transcript, vector: Words, width: Width, seed: Secret) -> Words:
        """Return the vector under its self mask and one mask for every peer."""
        length = vector.shape[1]
        out = vector.copy()
        add(out, _self_mask(seed, pairs.own, transcript, width, length), width)
        for peer, secret in pairs.secrets.items():
            # Both names are in the label: a member that signs another's agreement key as its own, in whatever encoding,
            # would otherwise make two masks of a third the same, and where the signs differ they would cancel.
            low, high = sorted((pairs.own, peer))
            key = derive(secret, "pair mask", transcript.value, low.encode(), high.encode())
            (add if pairs.own == low else subtract)(out, _stream(key, width, length), width)
        return out

    def share(self, seed: Secret) -> bytes:
        """Return the seed of the self mask."""
        return seed.reveal()

    def open(self, total: Words, width: Width, transcript: Transcript, shares: Mapping[Fingerprint, Secret]) -> Words:
        """Take off every member's self mask."""
        out = total.copy()
        for member, seed in shares.items():
            if len(seed) != SEED_BYTES:
                raise ProtocolError("masking.bad-share", "a released seed has the wrong length",
                                    got=f"{len(seed)} bytes", expected=f"{SEED_BYTES} bytes")
            subtract(out, _self_mask(seed, member, transcript, width, out.shape[1]), width)
        return out


def _self_mask(seed: Secret, of: Fingerprint, transcript: Transcript, width: Width, length: int) -> Words:
    return _stream(derive(seed, "self mask", transcript.value, of.encode()), width, length)


def _stream(key: Secret, width: Width, length: int) -> Words:
    limbs = limbs_of(width)
    return reduce(expand(key, limbs * length).reshape(limbs, length), width)
