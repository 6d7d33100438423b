"""The public polynomials on a GPU: AES-256 in counter mode, and the rejection of candidates that are not below a prime.

A GPU has no instructions for AES. The seed and the stream are public, so looking words up in a table gives nothing
away; nothing secret ever goes through this file. Expanding on the host instead would hold the GPU back: at 10^10
values a second the polynomials are some 25 GB/s, several times what one core makes.

Source: FIPS 197, with a column's substitution and mixing in one table (Daemen and Rijmen, "AES proposal: Rijndael",
section 5.2.1).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError
from sealane.ring.cuda_kernel import inlined, kernel, tl
from sealane.ring.cuda_modular import load, load_where, store_where

ROUNDS = 14  # of AES-256


@lru_cache(maxsize=1)
def substitution() -> NDArray[np.uint32]:
    """Return the S-box, ``(256,)``: the inverse in GF(2^8), then an affine map (FIPS 197, section 5.1.1)."""
    powers, x = [], 1
    for _ in range(255):
        powers.append(x)
        x ^= _doubled(x)  # 3 generates the field's units
    box = np.empty(256, dtype=np.uint32)
    for exponent, value in enumerate(powers):
        x = powers[-exponent % 255]
        box[value] = 0x63 ^ x ^ _turned(x, 1) ^ _turned(x, 2) ^ _turned(x, 3) ^ _turned(x, 4)
    box[0] = 0x63
    return box


@lru_cache(maxsize=1)
def mixing_table() -> NDArray[np.uint32]:
    """Return the table of (2s, s, s, 3s) for s = S(x), highest byte first, and those turned right by 1 to 3 bytes.

    Shape ``(4, 256)``.
    """
    box = substitution()
    double = np.array([_doubled(int(s)) for s in box], dtype=np.uint32)
    first = double << 24 | box << 16 | box << 8 | (double ^ box)
    return np.stack([first, *(first >> turn | first << (32 - turn) for turn in (8, 16, 24))]).astype(np.uint32)


def round_keys(key: bytes) -> NDArray[np.uint32]:
    """Return the 60 words of AES-256's key schedule, ``(60,)`` (FIPS 197, section 5.2).

    Raises:
        InputError: the key has not 32 bytes.
    """
    if len(key) != 32:
        raise InputError("ring.bad-seed", "a seed has the wrong length", got=f"{len(key)} bytes", expected="32 bytes")
    box = substitution()
    words = [int.from_bytes(key[i : i + 4], "big") for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 4 * (ROUNDS + 1)):
        word = words[-1]
        if i % 8 == 0:
            word = (word << 8 | word >> 24) & 0xFFFFFFFF
        if i % 4 == 0:
            word = sum(int(box[word >> shift & 0xFF]) << shift for shift in (0, 8, 16, 24))
        if i % 8 == 0:
            word, constant = word ^ constant << 24, _doubled(constant)
        words.append(words[-8] ^ word)
    return np.array(words, dtype=np.uint32)


def _doubled(x: int) -> int:
    return x << 1 ^ (0x11B if x & 0x80 else 0)


def _turned(x: int, bits: int) -> int:
    return (x << bits | x >> (8 - bits)) & 0xFF


@inlined
def _looked_up(table: tl.tensor, place: tl.tensor) -> tl.tensor:
    return tl.load(table + place.to(tl.int32))


@inlined
def _column(
    table: tl.tensor, key: tl.tensor, a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor
) -> tl.tensor:
    """One column of a round, from the four columns that its rows come from."""
    upper = _looked_up(table, a >> 24) ^ _looked_up(table + 256, (b >> 16) & 0xFF)
    lower = _looked_up(table + 512, (c >> 8) & 0xFF) ^ _looked_up(table + 768, d & 0xFF)
    return (upper ^ lower ^ tl.load(key)).to(tl.uint32, bitcast=True)


@inlined
def _last_column(
    table: tl.tensor, key: tl.tensor, a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor
) -> tl.tensor:
    """One column of the last round, which does not mix: S(x) itself lies at every byte of one of the tables."""
    upper = (_looked_up(table + 512, a >> 24) & -0x1000000) ^ (_looked_up(table, (b >> 16) & 0xFF) & 0xFF0000)
    lower = (_looked_up(table, (c >> 8) & 0xFF) & 0xFF00) ^ (_looked_up(table + 512, d & 0xFF) & 0xFF)
    word = (upper ^ lower ^ tl.load(key)).to(tl.uint32, bitcast=True)
    # Columns are big-endian, the stream's words little-endian.
    return (word << 24) | ((word & 0xFF00) << 8) | ((word >> 8) & 0xFF00) | (word >> 24)


@inlined
def _stream(
    table: tl.tensor, keys: tl.tensor, line: tl.tensor, block: tl.tensor, first_group: tl.tensor,
    PRIMES: tl.constexpr, BLOCKS: tl.constexpr,
) -> tl.tensor:
    """Return the words of blocks of the streams of some lines, uint32 ``(4 BLOCKS,)``; a line is a group's prime.

    The counter block is (1, prime index, group as 4 bytes little-endian, 6 zero bytes, number as 4 bytes big-endian).
    """
    row, group = line % PRIMES, first_group + line // PRIMES
    low, high = group & 0xFFFF, (group >> 16) & 0xFFFF
    a = ((1 << 24) | (row << 16) | ((low & 0xFF) << 8) | (low >> 8)).to(tl.uint32) ^ load(keys)
    b = ((((high & 0xFF) << 8) | (high >> 8)) << 16).to(tl.uint32) ^ load(keys + 1)
    c, d = tl.zeros([BLOCKS], tl.uint32) ^ load(keys + 2), block.to(tl.uint32) ^ load(keys + 3)
    for turn in range(1, 14):
        key = keys + 4 * turn
        e, f = _column(table, key, a, b, c, d), _column(table, key + 1, b, c, d, a)
        g, h = _column(table, key + 2, c, d, a, b), _column(table, key + 3, d, a, b, c)
        a, b, c, d = e, f, g, h
    e, f = _last_column(table, keys + 56, a, b, c, d), _last_column(table, keys + 57, b, c, d, a)
    g, h = _last_column(table, keys + 58, c, d, a, b), _last_column(table, keys + 59, d, a, b, c)
    return tl.reshape(tl.join(tl.join(e, g), tl.join(f, h)), [4 * BLOCKS])


@kernel
def candidates(
    table: tl.tensor, keys: tl.tensor, primes: tl.tensor, out: tl.tensor, rejected: tl.tensor,
    first_group: tl.tensor, lines: tl.tensor,
    POSITIONS: tl.constexpr, CHUNK: tl.constexpr, CHUNKS: tl.constexpr, PRIMES: tl.constexpr, BITS: tl.constexpr,
) -> None:
    """Write the candidates of some chunks, and how many of each chunk are not below their prime.

    Chunks divide lines; they are numbered through, and a program takes ``CHUNKS`` of them.
    """
    first = tl.program_id(0).to(tl.int64) * (CHUNKS * CHUNK)
    block = first // 4 + tl.arange(0, CHUNKS * CHUNK // 4)
    line = (block // (POSITIONS // 4)).to(tl.int32)
    number = (block % (POSITIONS // 4)).to(tl.int32)
    word = _stream(table, keys, line, number, first_group, PRIMES, CHUNKS * CHUNK // 4) & ((1 << BITS) - 1)
    at = first + tl.arange(0, CHUNKS * CHUNK)
    line = (at // POSITIONS).to(tl.int32)
    there = line < lines
    store_where(out + at, word, there)
    above = (word >= load(primes + 4 * (line % PRIMES))) & there
    chunk = tl.program_id(0) * CHUNKS + tl.arange(0, CHUNKS)
    counts = tl.sum(tl.reshape(above.to(tl.int32), [CHUNKS, CHUNK]), axis=1)
    tl.store(rejected + chunk, counts, mask=chunk < lines * (POSITIONS // CHUNK))


@kernel
def spares(
    table: tl.tensor, keys: tl.tensor, primes: tl.tensor, out: tl.tensor, accepted: tl.tensor,
    first_group: tl.tensor, lines: tl.tensor,
    POSITIONS: tl.constexpr, EXTRA: tl.constexpr, LINES: tl.constexpr, PRIMES: tl.constexpr, BITS: tl.constexpr,
) -> None:
    """Write the extra words of some lines that are below their prime, without gaps, and how many they are."""
    first = tl.program_id(0) * LINES
    block = tl.arange(0, LINES * EXTRA // 4)
    number = POSITIONS // 4 + block % (EXTRA // 4)
    word = _stream(table, keys, first + block // (EXTRA // 4), number, first_group, PRIMES, LINES * EXTRA // 4)
    word = tl.reshape(word & ((1 << BITS) - 1), [LINES, EXTRA])
    line = first + tl.arange(0, LINES)
    below = word < load(primes + 4 * (line % PRIMES))[:, None]
    count = below.to(tl.int32)
    rank = tl.cumsum(count, axis=1) - count
    store_where(out + line[:, None] * EXTRA + rank, word, below & (line < lines)[:, None])
    tl.store(accepted + line, tl.sum(count, axis=1), mask=line < lines)


@kernel
def replace(
    primes: tl.tensor, out: tl.tensor, rejected: tl.tensor, extra: tl.tensor, accepted: tl.tensor, flags: tl.tensor,
    POSITIONS: tl.constexpr, CHUNK: tl.constexpr, EXTRA: tl.constexpr, PRIMES: tl.constexpr,
) -> None:
    """Put the j-th spare in the place of the j-th rejected candidate; ``flags[0]`` counts those without one."""
    chunk, line = tl.program_id(0), tl.program_id(1)
    chunks = tl.arange(0, POSITIONS // CHUNK)
    counts = tl.load(rejected + line * (POSITIONS // CHUNK) + chunks)
    before = tl.sum(tl.where(chunks < chunk, counts, 0), axis=0)
    at = out + line.to(tl.int64) * POSITIONS + chunk * CHUNK + tl.arange(0, CHUNK)
    above = load(at) >= load(primes + 4 * (line % PRIMES))
    count = above.to(tl.int32)
    rank = before + tl.cumsum(count, axis=0) - count
    found = above & (rank < tl.load(accepted + line))
    store_where(at, load_where(extra + line * EXTRA + rank, found), found)
    missing = tl.sum(count, axis=0) - tl.sum(found.to(tl.int32), axis=0)
    tl.atomic_add(flags, missing, mask=missing > 0)
