"""Residues on the wire: 32 residues of b bits in b words, lowest first; and totals of such words.

A row is one prime of one group. All groups but the last use every position, so where a row begins follows from its
group's number alone.
"""

from __future__ import annotations

from sealane.ring.cuda_kernel import kernel, tl
from sealane.ring.cuda_modular import add, load, load_where, store_where, subtract


@kernel
def write(residues: tl.tensor, out: tl.tensor, words: tl.tensor, BITS: tl.constexpr, TILE: tl.constexpr) -> None:
    """Pack residues into a tile of words a program; rows fill whole words, so all of them are one long row.

    A word takes bits from three residues at most, b being at least 16.
    """
    word = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    inside = word < words
    first_bit = (word % BITS).to(tl.int32) * 32
    number = first_bit // BITS
    offset = first_bit - number * BITS
    at = residues + word // BITS * 32 + number
    one, two = load_where(at, inside), load_where(at + 1, inside)
    reach = 2 * BITS - offset  # where the third residue begins, seen from the word's lowest bit
    three = load_where(at + 2, inside & (reach < 32))
    packed = (one >> offset) | (two << (BITS - offset)) | (three << tl.minimum(reach, 31))
    store_where(out + word, packed, inside)


@kernel
def accumulate(
    total: tl.tensor, words: tl.tensor, primes: tl.tensor, flags: tl.tensor,
    first_group: tl.tensor, last_group: tl.tensor, last_used: tl.tensor,
    POSITIONS: tl.constexpr, PRIMES: tl.constexpr, BITS: tl.constexpr, TILE: tl.constexpr, TAKE_BACK: tl.constexpr,
) -> None:
    """Add a tile of one row to the total, or take it back; ``flags[0]`` counts residues that are not below the prime.

    Such residues count as zero, so that taking back undoes adding exactly.
    """
    tile, row, group = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    used = tl.multiple_of(tl.where(first_group + group == last_group, last_used, POSITIONS), 32)
    start = group.to(tl.int64) * (PRIMES * POSITIONS)
    prime = load(primes + 4 * row)
    position = tile * TILE + tl.arange(0, TILE)
    inside = position < used
    bit = position * BITS
    offset = bit & 31
    at = words + start // 32 * BITS + row * (used // 32 * BITS) + bit // 32
    low = load_where(at, inside)
    high = load_where(at + 1, inside & (offset + BITS > 32))
    residue = ((low >> offset) | ((high << 1) << (31 - offset))) & ((1 << BITS) - 1)
    above = residue >= prime
    residue = tl.where(above, 0, residue)
    here = total + start + row * used + position
    if TAKE_BACK:
        store_where(here, subtract(load_where(here, inside), residue, prime), inside)
    else:
        store_where(here, add(load_where(here, inside), residue, prime), inside)
        count = tl.sum(above.to(tl.int32), axis=0)
        tl.atomic_add(flags, count, mask=count > 0)
