"""Rows of residues on the wire and back: 32 residues of 28, 30 or 31 bits in that many 32-bit words.

Where a residue begins in its words repeats every 32 residues, so one arrangement of words and shifts, known when the
kernel is compiled, serves all of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import READ_32, inlined, kernel
from sealane.ring.cpu_vectors import WIDTH, Vectors, vector_code
from sealane.ring.packing import BLOCK

Row = NDArray[np.uint32]
_CHUNK = 1024  # residues that are unpacked before they are looked at


@vector_code
def _read_block(do: Vectors, into: Any, at: Any, words: Any, start: Any, bits: int) -> None:
    """Read 32 residues into ``into[at : at + 32]`` from ``words[start : start + bits]``; ``bits`` is written out."""
    for half in range(2):
        base = half * (bits - WIDTH)  # each half of the residues lies within 16 neighbouring words
        found = do.load(words, do.plus(start, base))
        places = [divmod(bits * (half * WIDTH + lane) - 32 * base, 32) for lane in range(WIDTH)]
        low = do.shifted(do.choose(found, found, [word for word, _ in places]), [-shift for _, shift in places])
        following = do.choose(found, found, [min(word + 1, WIDTH - 1) for word, _ in places])
        whole = do.either(low, do.shifted(following, [32 - shift for _, shift in places]))
        do.store(do.both(whole, do.repeat(2**bits - 1)), into, do.plus(at, half * WIDTH))


@vector_code
def _write_block(do: Vectors, words: Any, start: Any, residues: Any, at: Any, bits: int) -> None:
    """Write ``residues[at : at + 32]`` into ``words[start : start + bits]``; ``bits`` is written out."""
    lower, upper = do.load(residues, at), do.load(residues, do.plus(at, WIDTH))
    for base in (0, bits - WIDTH):  # the halves overlap, and agree where they do
        places = [divmod(32 * (base + lane), bits) for lane in range(WIDTH)]
        # A word is the rest of one residue and the beginning of the next: 2 bits - cut is never below 32.
        rest = do.shifted(do.choose(lower, upper, [first for first, _ in places]), [-cut for _, cut in places])
        following = do.choose(lower, upper, [first + 1 for first, _ in places])
        result = do.either(rest, do.shifted(following, [bits - cut for _, cut in places]))
        do.store(result, words, do.plus(start, base))


@kernel("void(uint32[::1], int64, uint32[::1])")
def write_row(residues: Row, bits: int, words: Row) -> None:
    """Write residues, ``(U,)`` with U a multiple of 32, as ``(U * bits / 32,)`` words."""
    for block in range(residues.size // BLOCK):
        if bits == 28:
            _write_block(words, block * 28, residues, block * BLOCK, 28)
        elif bits == 30:
            _write_block(words, block * 30, residues, block * BLOCK, 30)
        else:
            _write_block(words, block * 31, residues, block * BLOCK, 31)


@inlined
def _read_chunk(words: Row, first: int, count: int, bits: int, out: Row) -> None:
    for block in range(count):
        if bits == 28:
            _read_block(out, block * BLOCK, words, (first + block) * 28, 28)
        elif bits == 30:
            _read_block(out, block * BLOCK, words, (first + block) * 30, 30)
        else:
            _read_block(out, block * BLOCK, words, (first + block) * 31, 31)


@kernel(f"uint32({READ_32}, int64)")
def largest_residue(words: Row, bits: int) -> np.uint32:
    """Return the largest residue of a row on the wire."""
    residues = np.empty(_CHUNK, dtype=np.uint32)
    blocks, largest = words.size // bits, np.uint32(0)
    for first in range(0, blocks, _CHUNK // BLOCK):
        count = min(_CHUNK // BLOCK, blocks - first)
        _read_chunk(words, first, count, bits, residues)
        for j in range(count * BLOCK):
            largest = max(largest, residues[j])
    return largest


@kernel(f"void(uint32[::1], {READ_32}, uint32)")
def add_residues(row: Row, other: Row, prime: np.uint32) -> None:
    """Add one row of residues to another, in place, modulo the prime."""
    for j in range(row.size):
        raised = np.uint32(row[j] + other[j])
        row[j] = min(raised, np.uint32(raised - prime))  # one of the two wraps


@kernel(f"void({READ_32}, int64, uint32[::1], uint32)")
def add_row(words: Row, bits: int, total: Row, prime: np.uint32) -> None:
    """Add a row on the wire, every residue below the prime, to a row of a total, ``(U,)``, modulo the prime."""
    residues = np.empty(_CHUNK, dtype=np.uint32)
    blocks = words.size // bits
    for first in range(0, blocks, _CHUNK // BLOCK):
        count = min(_CHUNK // BLOCK, blocks - first)
        _read_chunk(words, first, count, bits, residues)
        sums = total[first * BLOCK : (first + count) * BLOCK]
        for j in range(count * BLOCK):
            raised = np.uint32(sums[j] + residues[j])
            sums[j] = min(raised, np.uint32(raised - prime))  # one of the two wraps
