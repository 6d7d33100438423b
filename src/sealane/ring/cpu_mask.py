"""The masks of one key: what hides a row of a ciphertext, and is taken off the sum of rows again."""

from __future__ import annotations

from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError, ProtocolError
from sealane.ring.cpu_forward import divide_by_prime, forward
from sealane.ring.cpu_inverse import mask
from sealane.ring.packing import LANES
from sealane.ring.primes import Ring
from sealane.ring.streams import EXTRA, public_words


class Masks:
    """Makes a s for the public polynomials of a seed; inside ``with``, after which the transformed key is zeroed.

    Args:
        ring: the ring.
        key: a key or a sum of keys, int32 ``(N,)``.
        public_seed: 32 bytes that everybody knows.

    Raises:
        InputError: the key is none of this ring.
    """

    def __init__(self, ring: Ring, key: NDArray[np.int32], public_seed: bytes) -> None:
        shaped = key.dtype == np.int32 and key.shape == (ring.degree,)
        if not shaped or max(int(key.max()), -int(key.min())) >= min(ring.primes):
            raise InputError("rlwe.wrong-key", "this is no key of this ring", got=f"{key.dtype} of shape {key.shape}",
                             expected=f"int32 of shape ({ring.degree},), every magnitude below the primes")
        self._ring = ring
        self._public_seed = public_seed
        self._key = np.empty((len(ring.primes), ring.degree), dtype=np.uint32)
        self._quotients = np.empty_like(self._key)
        for index, prime in enumerate(ring.primes):
            row = self._key[index]
            row[:] = key.view(np.uint32)
            forward(row, ring.roots.forward[index], ring.roots.forward_quotients[index], np.uint32(prime))
            divide_by_prime(row, self._quotients[index], np.uint32(prime))

    def row(self, group: int, index: int, used: int) -> NDArray[np.uint32]:
        """Return a s at the used positions of a group modulo one prime, uint32 ``(used,)``.

        Raises:
            ProtocolError: the seed gives too many words that are rejected.
        """
        ring, roots = self._ring, self._ring.roots
        words = np.empty(ring.degree * LANES + EXTRA, dtype=np.uint32)
        public_words(self._public_seed, index, group, words)
        if mask(words, EXTRA, np.uint32(2**ring.bits - 1), self._key[index], self._quotients[index],
                roots.inverse[index], roots.inverse_quotients[index], np.uint32(ring.primes[index])):
            raise ProtocolError("rlwe.expansion-exhausted", "too many words of the public polynomial were rejected",
                                got=f"prime {index} of group {group}", expected=f"at most {EXTRA}")
        words[used:] = 0  # a s where no message covers it would give the key away
        return words[:used]

    def __enter__(self) -> Masks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._key[:] = 0
        self._quotients[:] = 0
