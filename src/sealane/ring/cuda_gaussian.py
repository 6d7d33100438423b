"""ChaCha20 and the discrete Gaussian: what is secret is drawn in registers, from adds, rotations and xors alone.

No address and no branch depends on a word of the stream: the table of thresholds is read in full for each draw.

Source: RFC 8439 section 2.3 for ChaCha20; :mod:`sealane.ring.gaussian` for the table and its use.
"""

from __future__ import annotations

from sealane.ring.cuda_kernel import inlined, kernel, tl
from sealane.ring.cuda_modular import load

DRAWS = 8  # of 64 bits each, from one block of 64 bytes


@inlined
def _turned(x: tl.tensor, BITS: tl.constexpr) -> tl.tensor:
    return (x << BITS) | (x >> (32 - BITS))


@inlined
def _quarter(a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor) -> tuple[tl.tensor, ...]:
    """RFC 8439, section 2.1."""
    a += b
    d = _turned(d ^ a, 16)
    c += d
    b = _turned(b ^ c, 12)
    a += b
    d = _turned(d ^ a, 8)
    c += d
    b = _turned(b ^ c, 7)
    return a, b, c, d


@inlined
def chacha(seed: tl.tensor, nonce: tl.tensor, counter: tl.tensor, BLOCKS: tl.constexpr) -> tuple[tl.tensor, ...]:
    """Return the 16 words of each block, ``counter`` being its number, uint32 ``(BLOCKS,)``.

    ``nonce`` is the first of the nonce's three words; the other two are zero.
    """
    zero = tl.zeros([BLOCKS], tl.uint32)
    c0, c1 = zero + 0x61707865, zero + 0x3320646E  # "expand 32-byte k"
    c2, c3 = zero + 0x79622D32, zero + 0x6B206574
    k0, k1, k2, k3 = zero + load(seed), zero + load(seed + 1), zero + load(seed + 2), zero + load(seed + 3)
    k4, k5, k6, k7 = zero + load(seed + 4), zero + load(seed + 5), zero + load(seed + 6), zero + load(seed + 7)
    number, first = zero + counter, zero + nonce
    x0, x1, x2, x3, x4, x5, x6, x7 = c0, c1, c2, c3, k0, k1, k2, k3
    x8, x9, xa, xb, xc, xd, xe, xf = k4, k5, k6, k7, number, first, zero, zero
    for _ in range(10):
        x0, x4, x8, xc = _quarter(x0, x4, x8, xc)
        x1, x5, x9, xd = _quarter(x1, x5, x9, xd)
        x2, x6, xa, xe = _quarter(x2, x6, xa, xe)
        x3, x7, xb, xf = _quarter(x3, x7, xb, xf)
        x0, x5, xa, xf = _quarter(x0, x5, xa, xf)
        x1, x6, xb, xc = _quarter(x1, x6, xb, xc)
        x2, x7, x8, xd = _quarter(x2, x7, x8, xd)
        x3, x4, x9, xe = _quarter(x3, x4, x9, xe)
    return (
        x0 + c0, x1 + c1, x2 + c2, x3 + c3, x4 + k0, x5 + k1, x6 + k2, x7 + k3,
        x8 + k4, x9 + k5, xa + k6, xb + k7, xc + number, xd + first, xe, xf,
    )


@inlined
def _long(low: tl.tensor, high: tl.tensor) -> tl.tensor:
    return low.to(tl.uint64) | (high.to(tl.uint64) << 32)


@inlined
def draw(
    seed: tl.tensor, nonce: tl.tensor, first_block: tl.tensor, thresholds: tl.tensor, tail: tl.tensor,
    BLOCKS: tl.constexpr,
) -> tl.tensor:
    """Return the values that consecutive blocks of a stream give, int32 ``(8 BLOCKS,)``, in order of the stream."""
    counter = (first_block + tl.arange(0, BLOCKS)).to(tl.uint32)
    w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf = chacha(seed, nonce, counter, BLOCKS)
    # Each join makes a last axis: first the highest bit of the number in the block, then the next, then the lowest.
    even = tl.join(tl.join(_long(w0, w1), _long(w8, w9)), tl.join(_long(w4, w5), _long(wc, wd)))
    odd = tl.join(tl.join(_long(w2, w3), _long(wa, wb)), tl.join(_long(w6, w7), _long(we, wf)))
    word = tl.reshape(tl.join(even, odd), [8 * BLOCKS])
    rest = word >> 1
    magnitude = tl.zeros([8 * BLOCKS], tl.int32)
    for x in range(tail):
        magnitude += (tl.load(thresholds + x).to(tl.uint64, bitcast=True) <= rest).to(tl.int32)
    sign = (word & 1).to(tl.int32)
    return (magnitude ^ -sign) + sign  # negated where the sign is 1


@kernel
def draw_key(seed: tl.tensor, out: tl.tensor, thresholds: tl.tensor, tail: tl.tensor, TILE: tl.constexpr) -> None:
    """Write a tile of a secret key, int32."""
    tile = tl.program_id(0)
    value = draw(seed, tl.zeros([1], tl.uint32), tile * (TILE // 8), thresholds, tail, TILE // 8)
    tl.store(out + tile * TILE + tl.arange(0, TILE), value)
