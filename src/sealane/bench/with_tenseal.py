"""Sums under CKKS by TenSEAL, as other frameworks do them: one key pair, public at every node, opened by its holder.

For comparison only: see ``sealane.secagg.ckks.refusal`` for why this is no way to sum between institutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import Asked
from sealane.secagg.ckks.library import tenseal
from sealane.secagg.ckks.parameters import NVFLARE, SMALLEST, TENSEAL_TUTORIAL, ParameterSet

SETS: Final = {known.name: known for known in (NVFLARE, TENSEAL_TUTORIAL, SMALLEST)} | {"ckks": SMALLEST}


class TensealSum:
    """Vectors of N / 2 values to a ciphertext, encrypted with the public key."""

    parts = 4
    backend = "cpu"
    reason = "it has no other"

    def __init__(self, parameters: ParameterSet, asked: Asked) -> None:
        self._library = tenseal()
        self._slots = parameters.slots
        self._context = self._library.context(
            self._library.SCHEME_TYPE.CKKS, parameters.degree, coeff_mod_bit_sizes=list(parameters.modulus_bits),
            encryption_type=self._library.ENCRYPTION_TYPE.ASYMMETRIC, n_threads=asked.threads)
        self._context.global_scale = 2.0**parameters.scale_bits

    def encrypt(self, node: int, vector: NDArray[np.float32]) -> list[Any]:
        """Return one ciphertext for every N / 2 values."""
        encrypt, context = self._library.ckks_vector, self._context
        return [encrypt(context, vector[start : start + self._slots]) for start in range(0, vector.size, self._slots)]

    def serialise(self, encrypted: list[Any]) -> list[bytes]:
        """Return each ciphertext in TenSEAL's own form."""
        return [ciphertext.serialize() for ciphertext in encrypted]

    def add(self, payloads: Sequence[Sequence[bytes]]) -> list[Any]:
        """Return the sums of the ciphertexts."""
        read, context = self._library.ckks_vector_from, self._context
        total = [read(context, block) for block in payloads[0]]
        for payload in payloads[1:]:
            for so_far, block in zip(total, payload, strict=True):
                so_far.add_(read(context, block))
        return total

    def open(self, total: list[Any]) -> NDArray[np.float64]:
        """Decrypt with the secret key."""
        return np.concatenate([ciphertext.decrypt() for ciphertext in total])
