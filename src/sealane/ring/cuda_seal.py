"""What lies on top of a mask: the packed message and the error, added in one pass and never stored by themselves."""

from __future__ import annotations

from sealane.ring.cuda_gaussian import draw
from sealane.ring.cuda_kernel import kernel, tl
from sealane.ring.cuda_modular import add, load_where, shoup, signed, store_where


@kernel
def seal(
    residues: tl.tensor, values: tl.tensor, factors: tl.tensor, quotients: tl.tensor, primes: tl.tensor,
    base: tl.tensor, seed: tl.tensor, thresholds: tl.tensor, flags: tl.tensor,
    first_group: tl.tensor, last_group: tl.tensor, last_used: tl.tensor, count: tl.tensor,
    slots: tl.tensor, tail: tl.tensor,
    POSITIONS: tl.constexpr, PRIMES: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr,
) -> None:
    """Add e + step M to the mask, in place, for a tile of positions of one group a program and all primes at once.

    ``factors`` holds step base^v mod p, ``(primes, slots)``; ``count`` is the number of values from the first group
    on. ``flags[1]`` counts values that are not below ``base``, one uint32 in storage.
    """
    tile, group = tl.program_id(0), tl.program_id(1)
    used = tl.multiple_of(tl.where(first_group + group == last_group, last_used, POSITIONS), 32)
    position = tile * TILE + tl.arange(0, TILE)
    inside = position < used
    nonce = (tl.zeros([1], tl.int32) + first_group + group).to(tl.uint32)
    error = draw(seed, nonce, tile * (TILE // 8), thresholds, tail, TILE // 8)

    row = tl.arange(0, ROWS)  # a power of two; what lies beyond the primes is masked out
    there = row < PRIMES
    prime = load_where(primes + 4 * row, there)[:, None]
    message = tl.zeros([ROWS, TILE], tl.uint32)
    largest = tl.zeros([TILE], tl.uint32) + tl.load(base).to(tl.uint32, bitcast=True)
    above = tl.zeros([TILE], tl.int32)
    first = group.to(tl.int64) * POSITIONS * slots
    for slot in range(slots):
        at = first + slot * used + position
        value = load_where(values + at, inside & (at < count))
        above += (value >= largest).to(tl.int32)
        factor = load_where(factors + row * slots + slot, there)[:, None]
        quotient = load_where(quotients + row * slots + slot, there)[:, None]
        message = add(message, shoup(value[None, :], factor, quotient, prime), prime)
    message = add(message, signed(error[None, :], prime), prime)
    here = residues + group.to(tl.int64) * (PRIMES * POSITIONS) + row[:, None] * used + position[None, :]
    mask = there[:, None] & inside[None, :]
    store_where(here, add(load_where(here, mask), message, prime), mask)
    bad = tl.sum(above, axis=0)
    tl.atomic_add(flags + 1, bad, mask=bad > 0)
