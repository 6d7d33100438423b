"""How values lie in the ring: several to a coefficient in mixed radix, four polynomials abreast, group after group.

A position holds the message M = value_0 + value_1 base + ... + value_(k-1) base^(k-1), base being one more than the
largest sum that a slot can come to, so a sum never carries from one slot into the next. The ring holds
step * M + noise; ``noise`` bounds the magnitude of the summed errors, and step > 2 noise keeps them apart from M.

Positions come in groups of N * LANES: position n * LANES + b is coefficient n of polynomial b, so that neighbours in
memory go through the same butterflies.
"""

from __future__ import annotations

from dataclasses import dataclass

from sealane.errors import InputError
from sealane.ring.primes import Ring

LANES = 4
BLOCK = 32  # positions are padded to a multiple of this: 32 residues of b bits fill b words exactly
LARGEST_STEP = 2**32 - 1


@dataclass(frozen=True)
class Packing:
    """Where each value of a vector lies; made by :func:`pack`.

    Args:
        ring: the ring.
        base: one more than the largest sum of a slot, below 2^32.
        slots: values to a position, k.
        step: the distance between two messages.
        noise: the largest magnitude that the sum of the errors can have.
    """

    ring: Ring
    base: int
    slots: int
    step: int
    noise: int

    @property
    def positions(self) -> int:
        """Positions of a full group."""
        return self.ring.degree * LANES

    @property
    def group_values(self) -> int:
        """Values of a full group."""
        return self.slots * self.positions

    def groups(self, length: int) -> int:
        """Return how many groups ``length`` values take."""
        return -(-length // self.group_values)

    def span(self, length: int, group: int) -> tuple[int, int]:
        """Return the first value of a group and the one after its last.

        Raises:
            InputError: there is no such group.
        """
        if not 0 <= group < self.groups(length):
            raise InputError("rlwe.no-such-group", "the vector has no group of this number",
                             got=group, expected=f"0 to {self.groups(length) - 1}")
        start = group * self.group_values
        return start, min(start + self.group_values, length)

    def used(self, length: int, group: int) -> int:
        """Return the positions U that a group uses: value i of the group is slot i // U of position i % U."""
        start, stop = self.span(length, group)
        return -(-(stop - start) // (self.slots * BLOCK)) * BLOCK

    def block_bytes(self, length: int, group: int) -> int:
        """Return the bytes of a group on the wire: ``bits`` bits for each prime and used position."""
        return len(self.ring.primes) * self.used(length, group) * self.ring.bits // 8

    def payload_bytes(self, length: int) -> int:
        """Return the bytes of a vector on the wire."""
        return self.residues(length) * self.ring.bits // 8

    def offset(self, group: int) -> int:
        """Return where a group begins in a total: residue of prime l at position c lies at offset + l * U + c."""
        return group * len(self.ring.primes) * self.positions

    def residues(self, length: int) -> int:
        """Return the size of a total, in residues."""
        last = self.groups(length) - 1
        return self.offset(last) + len(self.ring.primes) * self.used(length, last) if length else 0


def pack(ring: Ring, base: int, noise: int) -> Packing:
    """Return the packing with the most slots for sums below ``base`` under errors of at most ``noise``.

    Raises:
        InputError: the base or the noise is outside what a slot can take, or not even one value fits.
    """
    if not 2 <= base < 2**32 or not 0 < noise < 2**31:
        raise InputError("rlwe.bad-packing", "the sums or the noise do not fit a slot",
                         got=f"base {base}, noise {noise}",
                         expected="base from 2 to 2^32 - 1, noise from 1 to 2^31 - 1")
    slots, messages = 0, 1
    while (2 * noise + 1) * messages * base <= ring.modulus:
        slots, messages = slots + 1, messages * base
    if slots == 0:
        raise InputError("rlwe.base-too-large", "not even one value fits a coefficient of this ring",
                         got=f"base {base}, noise {noise}", expected=f"a product below {ring.modulus}")
    return Packing(ring, base, slots, min(ring.modulus // messages, LARGEST_STEP), noise)
