"""The negacyclic transforms: a whole polynomial inside one program, one step after the other.

A step with blocks of 2h entries sees the polynomial as (blocks, 2, h) and parts it along the middle, so that Triton
keeps it in registers and shared memory; only roots come from outside.

Source: Longa and Naehrig (2016), Algorithms 1 (forward, Cooley-Tukey) and 2 (inverse, Gentleman-Sande).
"""

from __future__ import annotations

from sealane.ring.cuda_kernel import inlined, kernel, tl
from sealane.ring.cuda_modular import add, load, montgomery, shoup, signed, store, store_where, subtract


@inlined
def _parted(x: tl.tensor, BLOCKS: tl.constexpr, HALF: tl.constexpr) -> tuple[tl.tensor, tl.tensor]:
    """Return the lower and the upper half of every block, each ``(BLOCKS, HALF)``."""
    lower, upper = tl.split(tl.permute(tl.reshape(x, [BLOCKS, 2, HALF]), [0, 2, 1]))
    return lower, upper


@inlined
def _joined(lower: tl.tensor, upper: tl.tensor, BLOCKS: tl.constexpr, HALF: tl.constexpr) -> tl.tensor:
    """Undo :func:`_parted`."""
    return tl.reshape(tl.permute(tl.join(lower, upper), [0, 2, 1]), [2 * BLOCKS * HALF])


@inlined
def _roots(table: tl.tensor, BLOCKS: tl.constexpr, POLYS: tl.constexpr) -> tl.tensor:
    """Return the root of each block of a step, ``(POLYS BLOCKS, 1)``."""
    return load(table + BLOCKS + tl.arange(0, POLYS * BLOCKS) % BLOCKS)[:, None]


@inlined
def forward(
    x: tl.tensor, factors: tl.tensor, quotients: tl.tensor, prime: tl.tensor, N: tl.constexpr, LOG: tl.constexpr
) -> tl.tensor:
    """Transform residues in natural order, uint32 ``(N,)``; the result is in bit-reversed order."""
    for step in tl.static_range(LOG):
        lower, upper = _parted(x, 1 << step, N >> (step + 1))
        upper = shoup(upper, _roots(factors, 1 << step, 1), _roots(quotients, 1 << step, 1), prime)
        x = _joined(add(lower, upper, prime), subtract(lower, upper, prime), 1 << step, N >> (step + 1))
    return x


@inlined
def inverse(
    x: tl.tensor, factors: tl.tensor, quotients: tl.tensor, prime: tl.tensor,
    N: tl.constexpr, LOG: tl.constexpr, POLYS: tl.constexpr,
) -> tl.tensor:
    """Transform polynomials that lie one after the other, uint32 ``(POLYS N,)``, back to natural order.

    The factor 1/N stays out.
    """
    for step in tl.static_range(LOG):
        lower, upper = _parted(x, POLYS * (N >> (step + 1)), 1 << step)
        factor, quotient = _roots(factors, N >> (step + 1), POLYS), _roots(quotients, N >> (step + 1), POLYS)
        difference = shoup(lower + (prime - upper), factor, quotient, prime)
        x = _joined(add(lower, upper, prime), difference, POLYS * (N >> (step + 1)), 1 << step)
    return x


@kernel
def transform_key(
    key: tl.tensor, out: tl.tensor, factors: tl.tensor, quotients: tl.tensor, primes: tl.tensor,
    N: tl.constexpr, LOG: tl.constexpr,
) -> None:
    """Transform a key, int32 ``(N,)``, for one prime a program; the result is 2^32 s-hat, for Montgomery's product.

    ``primes`` holds rows p, 1/p mod 2^32, 2^32 mod p and the quotient of the latter.
    """
    row = tl.program_id(0)
    n = tl.arange(0, N)
    prime = load(primes + 4 * row)
    x = signed(tl.load(key + n), prime)
    x = forward(x, factors + row * N, quotients + row * N, prime, N, LOG)
    x = shoup(x, load(primes + 4 * row + 2), load(primes + 4 * row + 3), prime)
    store(out + row * N + n, x)


@kernel
def mask(
    public: tl.tensor, key: tl.tensor, out: tl.tensor, factors: tl.tensor, quotients: tl.tensor, primes: tl.tensor,
    first_group: tl.tensor, last_group: tl.tensor, last_used: tl.tensor,
    N: tl.constexpr, LOG: tl.constexpr, LANES: tl.constexpr, POLYS: tl.constexpr, PRIMES: tl.constexpr,
) -> None:
    """Write a s for ``POLYS`` lanes of one prime and group a program, at the positions that the group uses."""
    row, group = tl.program_id(1), tl.program_id(2)
    place = tl.arange(0, POLYS * N)
    n = place % N
    position = n * LANES + tl.program_id(0) * POLYS + place // N
    prime = load(primes + 4 * row)
    used = tl.multiple_of(tl.where(first_group + group == last_group, last_used, N * LANES), 32)
    start = group.to(tl.int64) * (PRIMES * N * LANES)
    a = load(public + start + row * (N * LANES) + position)
    x = montgomery(a, load(key + row * N + n), prime, load(primes + 4 * row + 1))
    x = inverse(x, factors + row * N, quotients + row * N, prime, N, LOG, POLYS)
    store_where(out + start + row * used + position, x, position < used)
