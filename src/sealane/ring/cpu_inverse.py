"""The mask a s that hides a row: uniform residues times the transformed key, and the transform back.

The four polynomials of a group lie abreast, so 16 neighbours go through one butterfly together. Stages are taken two at
a time, which halves the passes over memory. No instruction depends on the key but by its operands; only the public
words are tested.

Source: Longa and Naehrig (2016), Algorithm 2, without the last factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import READ_32, inlined, kernel
from sealane.ring.cpu_vectors import WIDTH, Vectors, vector_code
from sealane.ring.packing import LANES

Row = NDArray[np.uint32]
_FOUR = [which for which in range(4) for _ in range(LANES)]  # a word to the lanes of each coefficient
_TWICE = [which for which in (0, 1, 0, 1) for _ in range(LANES)]
_CHUNK = 256  # candidates that are looked at together for one that is rejected


@kernel(f"int64(uint32[::1], int64, uint32, uint32[::1], uint32[::1], {READ_32}, {READ_32}, uint32)")
def mask(
    words: Row, extra: int, below: np.uint32, key: Row, key_quotients: Row, roots: Row, quotients: Row, prime: np.uint32
) -> int:
    """Turn a group's public words into a s for one prime, in place, and return whether there were too few of them.

    ``words`` holds the N * LANES candidates, then ``extra`` more to replace rejected ones; ``below`` is 2^bits - 1.
    ``key`` is s transformed. The product comes out in natural order, times N.
    """
    values = words[: words.size - extra]
    missing = _reject(values, words[words.size - extra :], below, prime)
    degree = values.size // LANES
    for first in range(0, degree, 8):
        _first_two_stages(values, first, below, key, key_quotients, roots, quotients, degree, prime)
    span, blocks = 4 * LANES, degree // 8  # positions from one operand to the other; stretches of two operands
    while blocks > 1:
        for block in range(0, blocks, 2):
            for at in range(2 * span * block, 2 * span * block + span, WIDTH):
                _two_stages(values, at, span, roots, quotients, blocks + block, (blocks + block) // 2, prime)
        span, blocks = 4 * span, blocks // 4
    if blocks == 1:
        for at in range(0, span, WIDTH):
            _last_stage(values, at, span, roots, quotients, prime)
    return missing


@inlined
def _reject(values: Row, extra: Row, below: np.uint32, prime: np.uint32) -> int:
    """Give the j-th candidate that is not below p the j-th word of ``extra`` that is; return 1 where they run out."""
    taken = 0
    for start in range(0, values.size, _CHUNK):
        piece = values[start : start + _CHUNK]
        largest = np.uint32(0)
        for j in range(piece.size):
            largest = max(largest, np.uint32(piece[j] & below))
        if largest >= prime:
            for j in range(piece.size):
                while (piece[j] & below) >= prime:
                    if taken == extra.size:
                        return 1
                    piece[j] = extra[taken]
                    taken += 1
    return 0


@vector_code
def _first_two_stages(
    do: Vectors, values: Any, first: Any, below: Any, key: Any, key_quotients: Any, roots: Any, quotients: Any,
    degree: Any, prime: Any,
) -> None:
    """Cut 8 coefficients from ``first`` on to candidates, multiply by the key, go through distances 1 and 2."""
    modulus, place = do.repeat(prime), do.build.mul(first, first.type(LANES))
    lower, upper = (
        do.mul(
            do.both(do.load(values, do.plus(place, LANES * offset)), do.repeat(below)),
            [do.spread(table, do.plus(first, offset), 4, _FOUR) for table in (key, key_quotients)],
            modulus,
        )
        for offset in (0, 4)
    )
    even, odd = _lanes(0, 2, 4, 6), _lanes(1, 3, 5, 7)
    left, right = do.choose(lower, upper, even), do.choose(lower, upper, odd)
    near = do.build.lshr(do.plus(degree, first), first.type(1))  # the roots of blocks of two begin at N / 2
    root = [do.spread(table, near, 4, _FOUR) for table in (roots, quotients)]
    sums, rest = do.add(left, right, modulus), do.mul(do.sub(left, right, modulus), root, modulus)
    # now sums hold coefficients 0, 2, 4, 6 and rest 1, 3, 5, 7
    left, right = do.choose(sums, rest, even), do.choose(sums, rest, odd)
    far = do.build.lshr(near, first.type(1))
    root = [do.spread(table, far, 2, _TWICE) for table in (roots, quotients)]
    sums, rest = do.add(left, right, modulus), do.mul(do.sub(left, right, modulus), root, modulus)
    # now sums hold coefficients 0, 4, 1, 5 and rest 2, 6, 3, 7
    do.store(do.choose(sums, rest, even), values, place)
    do.store(do.choose(sums, rest, odd), values, do.plus(place, WIDTH))


def _lanes(*which: int) -> list[int]:
    """Return where the words of four coefficients lie, each ``LANES`` words wide."""
    return [LANES * coefficient + lane for coefficient in which for lane in range(LANES)]


@vector_code
def _two_stages(
    do: Vectors, values: Any, at: Any, span: Any, roots: Any, quotients: Any, near: Any, far: Any, prime: Any
) -> None:
    """Take the words at ``at`` and one, two and three spans on through two stages.

    ``near`` is the index of the first stage's root for the lower two; the next is for the upper two, and ``far`` is the
    index of the second stage's.
    """
    modulus, places = do.repeat(prime), [at]
    for _ in range(3):
        places.append(do.plus(places[-1], span))
    lower, upper, across = (
        [do.word(table, index) for table in (roots, quotients)] for index in (near, do.plus(near, 1), far)
    )
    u, v, x, y = (do.load(values, place) for place in places)
    first, second = do.mul(do.sub(u, v, modulus), lower, modulus), do.mul(do.sub(x, y, modulus), upper, modulus)
    u, x = do.add(u, v, modulus), do.add(x, y, modulus)
    results = (
        do.add(u, x, modulus),
        do.add(first, second, modulus),
        do.mul(do.sub(u, x, modulus), across, modulus),
        do.mul(do.sub(first, second, modulus), across, modulus),
    )
    for result, place in zip(results, places, strict=True):
        do.store(result, values, place)


@vector_code
def _last_stage(do: Vectors, values: Any, at: Any, span: Any, roots: Any, quotients: Any, prime: Any) -> None:
    """Take the words at ``at`` and a span on through the stage whose only root is the one at index 1."""
    modulus, other = do.repeat(prime), do.plus(at, span)
    left, right = do.load(values, at), do.load(values, other)
    do.store(do.add(left, right, modulus), values, at)
    root = do.word(roots, 1), do.word(quotients, 1)
    do.store(do.mul(do.sub(left, right, modulus), root, modulus), values, other)
