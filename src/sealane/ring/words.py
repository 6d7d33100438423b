"""Vectors over Z_2^w for w up to 128: addition, subtraction and their form on the wire.

A vector of n entries is an array of 64-bit limbs, shape ``(limbs, n)``, least significant limb first. Widths of 64,
96 and 128 bits are used; at 96 the upper limb holds 32 bits.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sealane.core.octets import Buffer
from sealane.errors import ProtocolError

Words = NDArray[np.uint64]
Limbs = list[NDArray[np.unsignedinteger[Any]]]
Width = Literal[64, 96, 128]
WIDTHS: tuple[Width, ...] = (64, 96, 128)
_LOW_32 = np.uint64(0xFFFFFFFF)


def limbs_of(width: Width) -> int:
    """Return how many 64-bit limbs hold one entry."""
    return 1 if width == 64 else 2


def reduce(vector: Words, width: Width) -> Words:
    """Clear the bits above ``width``, in place, and return the vector."""
    if width == 96:
        vector[1] &= _LOW_32
    return vector


def add(into: Words, other: Words | Limbs, width: Width) -> None:
    """Add ``other`` to ``into`` modulo 2^width, in place."""
    into[0] += other[0]
    if width != 64:
        into[1] += other[1]
        into[1] += into[0] < other[0]
        reduce(into, width)


def subtract(into: Words, other: Words, width: Width) -> None:
    """Subtract ``other`` from ``into`` modulo 2^width, in place."""
    if width != 64:
        into[1] -= other[1]
        into[1] -= into[0] < other[0]
        reduce(into, width)
    into[0] -= other[0]


def wire_bytes(width: Width, length: int) -> int:
    """Return how many bytes a vector of ``length`` entries takes on the wire."""
    return width // 8 * length


def to_bytes(vector: Words, width: Width) -> bytes:
    """Write a vector for the wire: limb after limb, little-endian, the upper limb of 96 bits as 32."""
    low: bytes = vector[0].astype("<u8", copy=False).tobytes()
    if width == 64:
        return low
    high: bytes = vector[1].astype("<u8" if width == 128 else "<u4").tobytes()
    return low + high


def from_bytes(data: Buffer, width: Width, length: int) -> Words:
    """Read what :func:`to_bytes` wrote; the result may be written to.

    Raises:
        ProtocolError: the length is not exactly that of ``length`` entries.
    """
    vector = np.empty((limbs_of(width), length), dtype=np.uint64)
    for limb, read in zip(vector, limbs_in(data, width, length), strict=True):
        limb[:] = read
    return vector


def limbs_in(data: Buffer, width: Width, length: int) -> Limbs:
    """Return the limbs of a vector where they lie in what :func:`to_bytes` wrote; raises like :func:`from_bytes`."""
    if len(data) != wire_bytes(width, length):
        raise ProtocolError("words.wrong-length", "vector has the wrong length",
                            got=f"{len(data)} bytes", expected=f"{wire_bytes(width, length)} bytes")
    limbs = [np.frombuffer(data, "<u8", length)]
    if width != 64:
        limbs.append(np.frombuffer(data, "<u8" if width == 128 else "<u4", length, offset=8 * length))
    return limbs
