"""The transform of a key: natural order in, bit-reversed order out.

Source: Longa and Naehrig (2016), Algorithm 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import READ_32, kernel
from sealane.ring.cpu_vectors import WIDTH, Vectors, vector_code

Row = NDArray[np.uint32]


@kernel(f"void(uint32[::1], {READ_32}, {READ_32}, uint32)")
def forward(values: Row, roots: Row, quotients: Row, prime: np.uint32) -> None:
    """Transform one polynomial in place, ``(N,)``; its coefficients may lie between -p and p, the negative wrapped."""
    for j in range(values.size):
        values[j] = min(values[j], np.uint32(values[j] + prime))
    half, blocks = values.size // 2, 1
    while half >= WIDTH:
        for block in range(blocks):
            for at in range(2 * half * block, 2 * half * block + half, WIDTH):
                _stage(values, at, half, roots, quotients, blocks + block, prime)
        half, blocks = half // 2, blocks * 2
    for at in range(0, values.size, 2 * WIDTH):
        _last_stages(values, at, values.size, roots, quotients, prime)


@kernel("void(uint32[::1], uint32[::1], uint32)")
def divide_by_prime(values: Row, out: Row, prime: np.uint32) -> None:
    """Write floor(w * 2^32 / p) for each w < p: what a product by it needs beside it, without a copy of a key."""
    scale = 4294967296.0 / np.float64(prime)
    for j in range(values.size):
        estimate = np.int64(np.float64(values[j]) * scale)  # at most one off: a double has 21 bits to spare
        rest = (np.int64(values[j]) << np.int64(32)) - estimate * np.int64(prime)
        out[j] = np.uint32(estimate + np.int64(rest >= np.int64(prime)) - np.int64(rest < 0))


@vector_code
def _stage(do: Vectors, values: Any, at: Any, half: Any, roots: Any, quotients: Any, which: Any, prime: Any) -> None:
    """Take the 16 words at ``at`` and at half a block on through a stage."""
    modulus, other = do.repeat(prime), do.plus(at, half)
    root = do.word(roots, which), do.word(quotients, which)
    left, right = do.load(values, at), do.mul(do.load(values, other), root, modulus)
    do.store(do.add(left, right, modulus), values, at)
    do.store(do.sub(left, right, modulus), values, other)


@vector_code
def _last_stages(do: Vectors, values: Any, at: Any, degree: Any, roots: Any, quotients: Any, prime: Any) -> None:
    """Take 32 words through the stages of distance 8, 4, 2 and 1, which stay among them."""
    modulus, next_16 = do.repeat(prime), do.plus(at, WIDTH)
    lower, upper = do.load(values, at), do.load(values, next_16)
    for half in (8, 4, 2, 1):
        lefts = [i for i in range(2 * WIDTH) if i // half % 2 == 0]
        rights = [i + half for i in lefts]
        first = do.build.udiv(do.plus(degree, at), at.type(2 * half))  # of the roots, which begin at N / 2h
        blocks = [i // (2 * half) for i in lefts]
        root = [do.spread(table, first, WIDTH // half, blocks) for table in (roots, quotients)]
        left = do.choose(lower, upper, lefts)
        right = do.mul(do.choose(lower, upper, rights), root, modulus)
        sums, rest = do.add(left, right, modulus), do.sub(left, right, modulus)
        back = [(lefts + rights).index(i) for i in range(2 * WIDTH)]
        lower, upper = do.choose(sums, rest, back[:WIDTH]), do.choose(sums, rest, back[WIDTH:])
    do.store(lower, values, at)
    do.store(upper, values, next_16)
