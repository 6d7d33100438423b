"""What a backend of the ring arithmetic does; ``cpu`` and ``cuda`` give the same bytes for the same input.

A node encrypts its values under a key of its own; totals of such payloads are added residue by residue and opened
with the sum of the keys: c = a s + e + step M in every prime, so sum c - a sum s = step sum M + sum e.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.core.octets import Octets
from sealane.core.secret import Secret
from sealane.ring.packing import Packing
from sealane.ring.primes import Ring

Block = bytes | bytearray | memoryview


class Values(Protocol):
    """What is to be encrypted, read group by group so that no second copy of a vector is ever whole in memory."""

    def __len__(self) -> int:
        """Return how many values there are."""
        ...

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return values ``start`` to ``stop``, uint32 and contiguous; the backend does not write to them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayValues:
    """Values that lie in an array already, uint32 ``(n,)``."""

    array: NDArray[np.uint32]

    def __len__(self) -> int:
        return self.array.size

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return a view of values ``start`` to ``stop``."""
        return self.array[start:stop]


class Backend(Protocol):
    """The arithmetic of the scheme. Methods keep nothing between calls, so threads may share a backend."""

    name: str
    """``cpu`` or ``cuda``."""
    device: str
    """What it runs on, in words."""

    def secret_key(self, ring: Ring, seed: Secret) -> NDArray[np.int32]:
        """Draw a key from a 32-byte seed that serves nothing else, int32 ``(N,)``; the caller zeroes it."""
        ...

    def encrypt(
        self,
        packing: Packing,
        values: Values,
        *,
        public_seed: bytes,
        key: NDArray[np.int32],
        error_seed: Secret,
    ) -> Octets:
        """Return the payload of a vector: the blocks of its groups, one after the other.

        Raises:
            InputError: a value is not below the packing's base, or the key is not one of this ring.
        """
        ...

    def total(self, packing: Packing, length: int) -> NDArray[np.uint32]:
        """Return a total of nothing: zeros, uint32 ``(packing.residues(length),)``, as ``packing.offset`` lays out."""
        ...

    def add(self, packing: Packing, length: int, total: NDArray[np.uint32], group: int, block: Block) -> None:
        """Add one group's block to a total, in place; a block that is refused leaves the total as it was.

        Raises:
            ProtocolError: the block has the wrong length, or a residue is not below its prime.
        """
        ...

    def write(self, packing: Packing, length: int, total: NDArray[np.uint32]) -> Octets:
        """Return a total in the form of a payload."""
        ...

    def open(
        self,
        packing: Packing,
        length: int,
        total: NDArray[np.uint32],
        *,
        public_seed: bytes,
        key_sum: NDArray[np.int32],
    ) -> Iterator[NDArray[np.uint32]]:
        """Yield the sums of the values, one array per group in order, uint32.

        Raises:
            ProtocolError: at some position the noise is beyond its bound or the message beyond its range, as after a
                wrong key, a wrong seed, or a payload that is no ciphertext.
        """
        ...
