"""Reading sums back: the mask comes off, residues become one integer, the integer parts into noise and digits.

The integer is in seven words of 32 bits, in 64-bit variables: seven primes below 2^31 have a product below 2^217, and
the sum before its reduction stays below eight times that.
"""

from __future__ import annotations

from sealane.ring.cuda_kernel import inlined, kernel, tl
from sealane.ring.cuda_modular import load, load_where, shoup, store_where, subtract

WORDS = 7


@inlined
def _word(pointer: tl.tensor) -> tl.tensor:
    return load(pointer).to(tl.uint64)


@inlined
def _summed(a: tl.tensor, factor: tl.tensor, pointer: tl.tensor, carry: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return the word and the carry of a + factor * known word + carry."""
    wide = a + factor * _word(pointer) + carry
    return wide & 0xFFFFFFFF, wide >> 32


@inlined
def _less(a: tl.tensor, pointer: tl.tensor, borrow: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return the word and the borrow of a - known word - borrow."""
    wide = a + 0x100000000 - _word(pointer) - borrow
    return wide & 0xFFFFFFFF, 1 - (wide >> 32)


@inlined
def _parted(rest: tl.tensor, a: tl.tensor, divisor: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return one word of a quotient and what remains; the rest so far is the higher word."""
    wide = (rest << 32) | a
    quotient = wide // divisor
    return quotient, wide - quotient * divisor


@kernel
def decode(
    total: tl.tensor, mask: tl.tensor, out: tl.tensor, flags: tl.tensor,
    primes: tl.tensor, inverses: tl.tensor, cofactors: tl.tensor, multiples: tl.tensor, bounds: tl.tensor,
    first_group: tl.tensor, last_group: tl.tensor, last_used: tl.tensor, count: tl.tensor, slots: tl.tensor,
    POSITIONS: tl.constexpr, PRIMES: tl.constexpr, TILE: tl.constexpr,
) -> None:
    """Write the sums of a tile of positions of one group a program; ``flags[2]`` counts positions out of range.

    With r the residues of total - mask, the integer is the sum of (r / (q/p) mod p) (q/p), reduced by q.
    ``inverses`` holds 1/(q/p) mod p and its quotient for each prime, ``cofactors`` the words of each q/p,
    ``multiples`` those of 4q, 2q and q, ``bounds`` the noise, step, 2 noise and base.
    """
    tile, group = tl.program_id(0), tl.program_id(1)
    used = tl.multiple_of(tl.where(first_group + group == last_group, last_used, POSITIONS), 32)
    position = tile * TILE + tl.arange(0, TILE)
    inside = position < used
    start = group.to(tl.int64) * (PRIMES * POSITIONS)

    zero = tl.zeros([TILE], tl.uint64)
    a0, a1, a2, a3, a4, a5, a6 = zero + _word(bounds), zero, zero, zero, zero, zero, zero
    for row in range(PRIMES):
        prime = load(primes + 4 * row)
        at = start + row * used + position
        residue = subtract(load_where(total + at, inside), load_where(mask + at, inside), prime)
        residue = shoup(residue, load(inverses + 2 * row), load(inverses + 2 * row + 1), prime).to(tl.uint64)
        words = cofactors + 7 * row
        a0, carry = _summed(a0, residue, words, zero)
        a1, carry = _summed(a1, residue, words + 1, carry)
        a2, carry = _summed(a2, residue, words + 2, carry)
        a3, carry = _summed(a3, residue, words + 3, carry)
        a4, carry = _summed(a4, residue, words + 4, carry)
        a5, carry = _summed(a5, residue, words + 5, carry)
        a6, carry = _summed(a6, residue, words + 6, carry)
    for multiple in range(3):
        words = multiples + 7 * multiple
        b0, borrow = _less(a0, words, zero)
        b1, borrow = _less(a1, words + 1, borrow)
        b2, borrow = _less(a2, words + 2, borrow)
        b3, borrow = _less(a3, words + 3, borrow)
        b4, borrow = _less(a4, words + 4, borrow)
        b5, borrow = _less(a5, words + 5, borrow)
        b6, borrow = _less(a6, words + 6, borrow)
        fits = borrow == 0
        a0, a1 = tl.where(fits, b0, a0), tl.where(fits, b1, a1)
        a2, a3 = tl.where(fits, b2, a2), tl.where(fits, b3, a3)
        a4, a5, a6 = tl.where(fits, b4, a4), tl.where(fits, b5, a5), tl.where(fits, b6, a6)

    step, slack, base = _word(bounds + 1), _word(bounds + 2), _word(bounds + 3)
    a6, rest = _parted(zero, a6, step)
    a5, rest = _parted(rest, a5, step)
    a4, rest = _parted(rest, a4, step)
    a3, rest = _parted(rest, a3, step)
    a2, rest = _parted(rest, a2, step)
    a1, rest = _parted(rest, a1, step)
    a0, rest = _parted(rest, a0, step)
    wrong = rest > slack
    first = group.to(tl.int64) * POSITIONS * slots
    for slot in range(slots):
        a6, rest = _parted(zero, a6, base)
        a5, rest = _parted(rest, a5, base)
        a4, rest = _parted(rest, a4, base)
        a3, rest = _parted(rest, a3, base)
        a2, rest = _parted(rest, a2, base)
        a1, rest = _parted(rest, a1, base)
        a0, rest = _parted(rest, a0, base)
        at = first + slot * used + position
        store_where(out + at, rest.to(tl.uint32), inside & (at < count))
    wrong = wrong | ((a0 | a1 | a2 | a3 | a4 | a5 | a6) != 0)
    bad = tl.sum((wrong & inside).to(tl.int32), axis=0)
    tl.atomic_add(flags + 2, bad, mask=bad > 0)
