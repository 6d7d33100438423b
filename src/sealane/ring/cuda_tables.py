"""The constants of a ring and a packing on a device, made once for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane.ring.cuda_kernel import torch
from sealane.ring.cuda_open import WORDS
from sealane.ring.cuda_public import mixing_table
from sealane.ring.gaussian import SIGMA_ERROR, SIGMA_SECRET, Gaussian, gaussian
from sealane.ring.packing import Packing
from sealane.ring.primes import Ring


def words(values: NDArray[np.uint32], device: str) -> torch.Tensor:
    """Return a copy of unsigned words on the device, int32 and flat."""
    return torch.from_numpy(np.array(values, dtype=np.uint32).reshape(-1).view(np.int32)).to(device)


def seed_words(seed: bytes, device: str) -> torch.Tensor:
    """Return a seed for ChaCha20 on the device; the caller zeroes it.

    Raises:
        InputError: the seed has not 32 bytes.
    """
    if len(seed) != 32:
        raise InputError("ring.bad-seed", "a seed has the wrong length", got=f"{len(seed)} bytes", expected="32 bytes")
    host = words(np.frombuffer(seed, dtype="<u4"), "cpu")
    copy = host.to(device)
    if copy is not host:
        host.zero_()
    return copy


@dataclass(frozen=True, eq=False)
class RingTables:
    """A ring's roots; for each prime p, 1/p mod 2^32, 2^32 mod p and its quotient; and the tables to draw from."""

    primes: torch.Tensor
    forward: torch.Tensor
    forward_quotients: torch.Tensor
    inverse: torch.Tensor
    inverse_quotients: torch.Tensor
    secret: torch.Tensor
    secret_tail: int
    error: torch.Tensor
    error_tail: int
    mixing: torch.Tensor


@dataclass(frozen=True, eq=False)
class PackingTables:
    """What :func:`sealane.ring.cuda_seal.seal` and :func:`sealane.ring.cuda_open.decode` need beside the ring."""

    factors: torch.Tensor
    quotients: torch.Tensor
    base: torch.Tensor
    inverses: torch.Tensor
    cofactors: torch.Tensor
    multiples: torch.Tensor
    bounds: torch.Tensor


@lru_cache(maxsize=8)
def ring_tables(ring: Ring, device: str) -> RingTables:
    """Return a ring's constants.

    Raises:
        InputError: the ring has more primes than the kernels are written for.
    """
    if len(ring.primes) > WORDS:
        raise InputError("rlwe.ring-not-on-cuda", "the cuda backend has no kernels for so many primes",
                         got=len(ring.primes), expected=f"at most {WORDS}", hint="choose the backend cpu")
    rows = [(p, pow(p, -1, 2**32), 2**32 % p, _quotient(2**32 % p, p)) for p in ring.primes]
    roots, secret, error = ring.roots, gaussian(SIGMA_SECRET), gaussian(SIGMA_ERROR)
    return RingTables(
        words(np.array(rows, dtype=np.uint32), device),
        words(roots.forward, device),
        words(roots.forward_quotients, device),
        words(roots.inverse, device),
        words(roots.inverse_quotients, device),
        _thresholds(secret, device),
        secret.tail,
        _thresholds(error, device),
        error.tail,
        words(mixing_table(), device),
    )


@lru_cache(maxsize=16)
def packing_tables(packing: Packing, device: str) -> PackingTables:
    """Return a packing's constants."""
    primes, q = packing.ring.primes, packing.ring.modulus
    factors = [[packing.step * pow(packing.base, v, p) % p for v in range(packing.slots)] for p in primes]
    inverses = [pow(q // p, -1, p) for p in primes]
    return PackingTables(
        words(np.array(factors, dtype=np.uint32), device),
        words(np.array([[_quotient(w, p) for w in line] for line, p in zip(factors, primes, strict=True)],
                       dtype=np.uint32), device),
        words(np.array([packing.base], dtype=np.uint32), device),
        words(np.array([(w, _quotient(w, p)) for w, p in zip(inverses, primes, strict=True)], dtype=np.uint32), device),
        words(_limbs([q // p for p in primes]), device),
        words(_limbs([4 * q, 2 * q, q]), device),
        words(np.array([packing.noise, packing.step, 2 * packing.noise, packing.base], dtype=np.uint32), device),
    )


def _quotient(factor: int, prime: int) -> int:
    return (factor << 32) // prime


def _limbs(numbers: list[int]) -> NDArray[np.uint32]:
    data = b"".join(number.to_bytes(4 * WORDS, "little") for number in numbers)
    return np.frombuffer(data, dtype="<u4").reshape(len(numbers), WORDS)


def _thresholds(table: Gaussian, device: str) -> torch.Tensor:
    return torch.from_numpy(table.thresholds.astype(np.int64)).to(device)
