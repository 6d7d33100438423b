"""A randomised Hadamard rotation: what is large is spread over a block, and one bound and few bits fit all entries.

A vector is cut into blocks of 2^16 entries; the last is padded with zeros to a power of two, at least 2^12 where it is
not the only one. In each block of d
entries the signs are flipped where the public seed says so, then comes the Walsh-Hadamard transform, then a division by
sqrt(d). Bit i of the AES-256-CTR stream of the seed (bit i % 8 of byte i // 8, lowest first) set means that entry i of
the padded vector changes its sign. The transform is made of additions and subtractions in the order of strides 1, 2, 4
and so on, and d is 4^8 but in the last block, so the division is exact there: a backend that keeps to this order gives
the same bits. Signs do not depend on the data and are the same at all nodes, so the rotation of a sum is the sum of the
rotations, and whoever opens it rotates back.

The Euclidean norm stays as it is, up to rounding: about 1e-6 of it in float32.

Source: Suresh et al., "Distributed Mean Estimation with Limited Communication" (2017), section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.ring.prg import expand
from sealane.secagg.quantize import Floats

BLOCK = 1 << 16
SMALLEST_LAST = 1 << 12
"""A last block behind others is not smaller: over a few entries nothing would be spread."""


def rotated_length(length: int) -> int:
    """Return the entries that a rotated vector of ``length`` has."""
    return sum(_blocks(length))


def rotate(values: Floats, seed: bytes) -> Floats:
    """Return the rotated vector, of the type of the values, shape ``(rotated_length(n),)``.

    Args:
        values: float32 or float64, shape ``(n,)``.
        seed: 32 public bytes, the same at every node and other ones in every round.
    """
    _check(values)
    out = np.zeros(rotated_length(values.size), dtype=values.dtype)
    out[: values.size] = values
    for block, signs in _pieces(out, seed):
        block *= signs
        _transform(block)
    return out


def rotate_back(values: Floats, length: int, seed: bytes) -> Floats:
    """Return the vector of ``length`` entries of which :func:`rotate` made ``values``, or the sum of such vectors.

    Raises:
        InputError: a vector of ``length`` entries has another length when it is rotated.
    """
    _check(values)
    if values.size != rotated_length(length):
        raise InputError("rotation.bad-length", "a rotated vector has the wrong length", got=values.size,
                         expected=rotated_length(length))
    out = values.copy()
    for block, signs in _pieces(out, seed):
        _transform(block)
        block *= signs
    return out[:length]


def entry_bound(norm: float, length: int, failure: float) -> float:
    """Return what no entry of a rotated vector exceeds in magnitude, but with probability ``failure``.

    Over the choice of the seed an entry of a block of d is a sum of d independent terms +-x_k / sqrt(d), so it exceeds
    t with a probability of at most 2 exp(-t^2 d / (2 norm^2)). Both arguments are public, and so is the bound.

    Args:
        norm: the Euclidean norm that the vector is known not to exceed.
        length: entries of the vector before it is rotated.
        failure: between 0 and 1.
    """
    smallest = min(_blocks(length))
    return norm * min(1.0, math.sqrt(2.0 * math.log(2.0 * rotated_length(length) / failure) / smallest))


def _blocks(length: int) -> Iterator[int]:
    for low in range(0, length, BLOCK):
        size = 1 << (min(BLOCK, length - low) - 1).bit_length()
        yield max(size, SMALLEST_LAST) if low else size


def _pieces(values: Floats, seed: bytes) -> Iterator[tuple[Floats, Floats]]:
    """Yield each block of a padded vector with its signs, 1 and -1."""
    stream = expand(Secret(seed), -(-values.size // 64)).view(np.uint8)
    for low in range(0, values.size, BLOCK):
        block = values[low : low + BLOCK]
        flips = np.unpackbits(stream[low // 8 : -(-(low + block.size) // 8)], count=block.size, bitorder="little")
        signs = np.empty_like(block)
        np.subtract(1, 2 * flips.astype(np.int8), out=signs)
        yield block, signs


def _transform(block: Floats) -> None:
    """Apply the Walsh-Hadamard transform divided by sqrt(d), in place.

    Four strides at a time: a transpose brings what lies that near together onto rows of neighbouring entries, and after
    all strides the entries are back in their order.
    """
    here, there = block, np.empty_like(block)
    left = block.size.bit_length() - 1
    while left:
        digit = min(4, left)
        rows = 1 << digit
        there.reshape(rows, -1)[:] = here.reshape(-1, rows).T
        here, there = there, here
        for stride in (1 << power for power in range(digit)):
            pairs = here.reshape(rows // (2 * stride), 2, -1)
            made = there.reshape(pairs.shape)
            np.add(pairs[:, 0], pairs[:, 1], out=made[:, 0])
            np.subtract(pairs[:, 0], pairs[:, 1], out=made[:, 1])
            here, there = there, here
        left -= digit
    np.multiply(here, block.dtype.type(1.0 / math.sqrt(block.size)), out=block)


def _check(values: Floats) -> None:
    if values.ndim != 1 or values.dtype not in (np.float32, np.float64):
        raise InputError("rotation.bad-values", "a rotation takes a vector of float32 or float64",
                         got=f"{values.dtype} {values.shape}")
