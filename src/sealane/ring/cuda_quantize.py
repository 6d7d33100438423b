"""Stochastic rounding of an update that lies on the device, bit for bit as :mod:`sealane.secagg.quantize` states it.

A pass of its own: it moves eight bytes a value, a fiftieth of a GPU's time for one, while inside the sealing kernel 32
values would share a block of the stream and most threads would wait. The only product feeds a comparison, so nothing
can be contracted into a fused multiply-add.
"""

from __future__ import annotations

from sealane.ring.cuda_gaussian import chacha
from sealane.ring.cuda_kernel import inlined, kernel, tl
from sealane.ring.cuda_modular import store_where

DRAWS = 32  # of 16 bits each, from one block of 64 bytes


@inlined
def _halves(word: tl.tensor) -> tl.tensor:
    """Return the lower and the upper half of each word along a new last axis."""
    return tl.join(word & 0xFFFF, word >> 16)


@inlined
def _four(a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor) -> tl.tensor:
    """Join four tensors along two new last axes, so that they alternate as a, b, c, d."""
    return tl.join(tl.join(a, c), tl.join(b, d))


@inlined
def _draws(seed: tl.tensor, first_block: tl.tensor, BLOCKS: tl.constexpr) -> tl.tensor:
    """Return the 16-bit words of consecutive blocks, uint32 ``(32 BLOCKS,)``, in order of the stream."""
    counter = (first_block + tl.arange(0, BLOCKS)).to(tl.uint32)
    w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, wa, wb, wc, wd, we, wf = chacha(
        seed, tl.zeros([1], tl.uint32), counter, BLOCKS
    )
    # As in draw(): the axis that is made first stands for the highest bit of a word's number.
    low = _four(tl.join(w0, w8), tl.join(w1, w9), tl.join(w2, wa), tl.join(w3, wb))
    high = _four(tl.join(w4, wc), tl.join(w5, wd), tl.join(w6, we), tl.join(w7, wf))
    # Axes now: block, bit 3, bit 1, bit 0; bit 2 tells low from high and belongs behind bit 3.
    words = tl.permute(tl.join(low, high), [0, 1, 4, 2, 3])
    return tl.reshape(_halves(tl.reshape(words, [16 * BLOCKS])), [32 * BLOCKS])


@kernel
def quantize(
    values: tl.tensor, scales: tl.tensor, out: tl.tensor, seed: tl.tensor, flags: tl.tensor,
    first: tl.tensor, count: tl.tensor, block: tl.tensor, middle: tl.tensor, fraction: tl.tensor,
    BLOCKS: tl.constexpr, TILE: tl.constexpr,
) -> None:
    """Round a tile of values, the first of them entry ``first`` of the update; ``flags[3]`` counts those not finite.

    Entry i is scaled by ``scales[i // block]`` with ``BLOCKS``, else by ``scales[0]``; ``middle`` is 2^f half, and
    ``fraction`` is f. ``first`` is a multiple of 32, and so is what the tile begins with.
    """
    place = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    inside = place < count
    value = tl.load(values + place, mask=inside, other=0.0)
    if BLOCKS:
        scale = tl.load(scales + (first + place) // block, mask=inside, other=0.0)
    else:  # a division of 64 bits for each value costs more than all else
        scale = tl.zeros([TILE], tl.float32) + tl.load(scales)
    first_block = (first + tl.program_id(0).to(tl.int64) * TILE) // 32
    random = _draws(seed, first_block, TILE // 32) >> (16 - fraction).to(tl.uint32)
    edge = tl.zeros([TILE], tl.float32) + middle.to(tl.float32)
    finite = tl.abs(value) < float("inf")
    scaled = tl.minimum(tl.maximum(tl.where(finite, value, 0.0) * scale, -edge), edge)
    whole = (scaled.to(tl.int32) + middle).to(tl.uint32, bitcast=True)
    store_where(out + place, (whole + random) >> fraction.to(tl.uint32), inside)
    bad = tl.sum((inside & (finite == 0)).to(tl.int32), axis=0)
    tl.atomic_add(flags + 3, bad, mask=bad > 0)
