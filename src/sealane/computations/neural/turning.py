"""A rotation that hardly lengthens a vector: cut into powers of two, what is left over being padded alone.

:mod:`sealane.secagg.rotation` pads the last block to a power of two, which for a model of one block can double it. Here
entries are dealt out first, so that every piece is a sample of the whole vector: a piece of a few neighbours could
hold nothing but the largest. Entry i of what is cut is entry i s mod n of the vector, with s the first number from
0.618 n on that has no divisor in common with n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sealane.computations.neural.vector import Vector
from sealane.secagg.rotation import BLOCK, rotate, rotate_back, rotated_length

DEALT = 1 << 20
"""A longer vector is rotated as it is: padding adds a thirtieth at most."""
_SLACK = 16
"""Padding of a piece up to one entry in so many of the whole is let be."""
_SMALLEST = 64

Seeds = Callable[[int], bytes]
"""The 32 public bytes of each piece."""


def pieces(length: int) -> list[int]:
    """Return how many entries each piece has."""
    if length >= DEALT:
        return [length]
    out = [length - length % BLOCK] if length >= BLOCK else []
    left = length - sum(out)
    while left:
        power = 1 << (left.bit_length() - 1)
        last = left <= max(_SMALLEST, length // _SLACK) or rotated_length(left) - left <= length // _SLACK
        out.append(left if last else power)
        left -= out[-1]
    return out


def turn(vector: Vector, seeds: Seeds) -> Vector:
    """Return the rotated vector, a little longer than it was."""
    cut, values = pieces(vector.size), _floats(vector)
    dealt = values if len(cut) == 1 else values[_order(vector.size)]
    ends = np.cumsum(cut)
    return np.concatenate([rotate(dealt[end - size : end], seeds(k))
                           for k, (size, end) in enumerate(zip(cut, ends, strict=True))])


def turn_back(turned: Vector, length: int, seeds: Seeds) -> Vector:
    """Return the vector of ``length`` entries that :func:`turn` made ``turned`` of, or the sum of such vectors."""
    cut, values = pieces(length), _floats(turned)
    widths = [rotated_length(size) for size in cut]
    ends = np.cumsum(widths)
    back: Vector = np.concatenate([rotate_back(values[end - width : end], size, seeds(k))
                                   for k, (size, width, end) in enumerate(zip(cut, widths, ends, strict=True))])
    if len(cut) == 1:
        return back
    out = np.empty_like(back)
    out[_order(length)] = back
    return out


def turned_length(length: int) -> int:
    """Return the entries that a rotated vector of ``length`` has."""
    return sum(rotated_length(size) for size in pieces(length))


def _order(length: int) -> Any:
    step = max(1, round(0.618 * length))
    while math.gcd(step, length) != 1:
        step += 1
    return np.arange(length) * step % length


def _floats(values: Vector) -> Any:
    return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)
