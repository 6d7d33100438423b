"""The ``masking`` scheme over Z_2^w.

Node i sends ``x_i + sum_{j>i} m_ij - sum_{j<i} m_ij + s_i``. The pairwise masks m cancel in the sum of the whole
cohort; the self masks s come off once every member has released the seed of its own to its peers. Without the self
mask, a coordinator that falsely reports a drop-out would obtain two sums that differ by one institution.

Source: Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS 2017), section 4,
without its recovery of pairwise keys: an attempt that is not whole stays closed.

Where all members know the seed already, one self mask hides the sum from the coordinator as well as many would: the
first member's contribution carries it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets, stretch
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import ProtocolError
from sealane.ring.base import ArrayValues
from sealane.ring.prg import SEED_BYTES
from sealane.ring.words import WIDTHS, Width, add, limbs_in, limbs_of, to_bytes
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import Vector
from sealane.secagg.masking.slots import MaskedTotal, mask, slot_width, word_bits
from sealane.secagg.pair_masks import apply_masks, pair_masks
from sealane.secagg.scheme import Form, Pairs, Sum, Total


class Masking:
    """Pairwise AES-256-CTR masks and a one-time self mask."""

    name = "masking"
    whole_cohort = True
    runs_on = "numpy on the processor"

    def openers(self, attempt: Attempt) -> tuple[Fingerprint, ...]:
        """Return all members: each releases the seed of its self mask."""
        return tuple(member.fingerprint for member in attempt.members)

    def replies(self, attempt: Attempt) -> int:
        """Return the size of the cohort."""
        return attempt.size

    def word_bits(self, sum_: Sum) -> int:
        """Return the bits of an entry, or for updates those in use of a packed word."""
        layout = sum_.layout
        return word_bits(slot_width(layout.most)) if layout.most else layout.width

    def protect(self, sum_: Sum, pairs: Pairs, vector: Vector, seed: Secret, *, common: bool = False) -> Octets:
        """Return the vector under one mask for every peer and its self mask, where it has one."""
        keys = list(pair_masks(sum_, pairs))
        if not common or pairs.own == sum_.attempt.first:
            keys.append((_self_mask(sum_, seed, pairs.own), True))
        layout = sum_.layout
        if not isinstance(vector, np.ndarray):
            return mask(vector, slot_width(layout.most), keys)
        out = vector.copy()
        apply_masks(out, layout.width, keys)
        return to_bytes(out, layout.width)

    def key_shares(self, sum_: Sum, seed: Secret) -> Mapping[Fingerprint, bytes]:
        """Return none: a seed is released whole."""
        return {}

    def total(self, attempt: Attempt, form: Form) -> Total:
        """Return a total of zeros: of packed updates, or of statistics."""
        if not form.relay_whole and not form.tagged:
            return MaskedTotal.for_payloads(form.payload_bytes, form.word_bits)
        for width in WIDTHS:
            if form.word_bits == width:
                return WordsTotal(width, form.payload_bytes)
        raise ProtocolError("masking.bad-width", "statistics have no entries of this width", got=form.word_bits,
                            expected="64, 96 or 128")

    def share(self, sum_: Sum, seed: Secret, held: Mapping[Fingerprint, bytes]) -> bytes:
        """Return the seed of the self mask."""
        return seed.reveal()

    def open(
        self, sum_: Sum, total: Total, survivors: frozenset[Fingerprint], shares: Mapping[Fingerprint, bytes]
    ) -> tuple[Vector, list[bytes]]:
        """Take off the self masks of those whose seeds are given."""
        for released in shares.values():
            if len(released) != SEED_BYTES:
                raise ProtocolError("masking.bad-share", "a released seed has the wrong length",
                                    got=f"{len(released)} bytes", expected=f"{SEED_BYTES} bytes")
        masks = [_self_mask(sum_, Secret(shares[member]), member) for member in sorted(shares)]
        common = [shares[member] for member in sorted(shares)]
        layout = sum_.layout
        if isinstance(total, MaskedTotal):
            sums = np.empty(layout.length, dtype=np.uint32)
            at = 0
            for part in total.unmask(layout.length, slot_width(layout.most), [(key, True) for key in masks]):
                sums[at : at + part.size] = part
                at += part.size
            return ArrayValues(sums), common
        assert isinstance(total, WordsTotal)
        opened = total.words.copy()
        apply_masks(opened, layout.width, [(key, False) for key in masks])
        return opened, common


class WordsTotal:
    """Vectors over Z_2^w added up."""

    def __init__(self, width: Width, payload_bytes: int) -> None:
        self.width: Width = width
        self.length = payload_bytes // (width // 8)
        self.words = np.zeros((limbs_of(width), self.length), dtype=np.uint64)

    def add(self, payload: Octets) -> None:
        """Add a vector as it came on the wire."""
        add(self.words, limbs_in(stretch(payload, 0, len(payload)), self.width, self.length), self.width)

    def write(self) -> bytes:
        """Return the total as on the wire."""
        return to_bytes(self.words, self.width)


def _self_mask(sum_: Sum, seed: Secret, of: Fingerprint) -> Secret:
    return derive(seed, "self mask", sum_.transcript.value, of.encode())
