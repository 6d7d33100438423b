"""Updates as small integers: clipped, scaled and rounded stochastically, entry by entry and read in any order.

The grid of ``bits`` bits has an odd number of points, 0 to 2^bits - 2, with zero in the middle: an entry of zero stays
exactly zero, and a contribution can be compared with no contribution on the same grid, as differential privacy does.

The rule, which every backend repeats bit for bit, for entry i of a vector, x in float32 or float64:

    half = 2^(bits-1) - 1          f = min(16, 32 - bits)         scale = float32(2^f half / clip)
    t = x * scale                  one product, rounded once to the format of x
    t = min(max(t, -2^f half), 2^f half)
    T = t without its fraction     towards zero, as a conversion to int32 does
    r = the f upper bits of little-endian 16-bit word i of ChaCha20(key = seed, nonce = 0, counter from 0)
    q = (T + 2^f half + r) >> f    in unsigned 32 bits, which it never leaves

The product is the only operation on floats that rounds: nothing can be contracted into a fused multiply-add, and a
flush of subnormal numbers to zero changes nothing, since |t| < 1 there. Its error is half a unit in the last place of
the input's own format: float32 is scaled as exactly as it was given, even at 24 bits, where it has no bit to spare; who
has more precision hands over float64. 16 bits decide about a rounding, so the expectation of q is within 2^-f of t.
Entry i of the aggregate is (sum q - addends half) 2^f / scale, with the scale as it was rounded.

Source: Suresh et al., "Distributed Mean Estimation with Limited Communication" (2017), stochastic k-level quantisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.secagg.keystream import Keystream

BITS = range(4, 25)
CLIPS = (2.0**-64, 2.0**64)
"""Within these the scale and every product of it with a finite entry behave as the rule says."""
_RANDOM_BITS = 16
_CHUNK = 1 << 15
"""Entries worked on at a time: what they need lies in a core's second-level cache."""

Floats = NDArray[np.float32] | NDArray[np.float64]
Clip = float | NDArray[np.float64]


def largest(bits: int) -> int:
    """Return the largest integer an entry of ``bits`` bits becomes: 2^bits - 2."""
    return 2 * _half(bits)


def fraction_bits(bits: int) -> int:
    """Return f: the bits below an integer step that a scaled entry has before it is rounded."""
    return min(_RANDOM_BITS, 32 - bits)


def scale_of(clip: Clip, bits: int) -> NDArray[np.float32]:
    """Return what entries are multiplied with, of the shape of ``clip``: the number of 2^-f steps in a unit.

    Raises:
        InputError: a clip is not within 2^-64 and 2^64, or the width is not 4 to 24 bits.
    """
    if bits not in BITS:
        raise InputError("quantize.bad-bits", "updates cannot be quantised to this width", got=bits, expected="4 to 24")
    clips = np.asarray(clip, dtype=np.float64)
    if not ((clips >= CLIPS[0]) & (clips <= CLIPS[1])).all():
        raise InputError("quantize.bad-clip", "an update is clipped to a positive, finite bound",
                         got=clip if clips.ndim == 0 else "a block's bound outside", expected="from 2^-64 to 2^64")
    return np.asarray(float(_half(bits) << fraction_bits(bits)) / clips, dtype=np.float32)


def step_of(clip: Clip, bits: int) -> NDArray[np.float64]:
    """Return what one integer step is worth, of the shape of ``clip``: about clip / half, and exact for the scale.

    Raises:
        InputError: as for :func:`scale_of`.
    """
    return np.asarray(float(1 << fraction_bits(bits)) / scale_of(clip, bits).astype(np.float64))


class Quantized:
    """An update as integers in [0, 2^bits - 2], worked out when they are read.

    Args:
        values: the update, float32 or float64, shape ``(n,)``; not copied, so it must not change while this lives.
        clip: the public bound of an entry's magnitude, or one for each block of ``block`` entries, shape
            ``(ceil(n / block),)``. A bound taken from rows tells about them: it must come from a secure maximum, or be
            agreed beforehand.
        bits: width of an integer, 4 to 24.
        seed: 32 bytes for the roundings of this vector and nothing else.
        block: entries that share a bound; 0 where all share one.

    Raises:
        InputError: another type or shape, a bound or width that is not usable. On reading: a value is not finite.
    """

    def __init__(self, values: Floats, clip: Clip, bits: int, seed: Secret, *, block: int = 0) -> None:
        if values.ndim != 1 or values.dtype not in (np.float32, np.float64):
            raise InputError("quantize.bad-values", "an update is a vector of float32 or float64",
                             got=f"{values.dtype} {values.shape}")
        self._values = values
        self._scale, self._step = scale_of(clip, bits), step_of(clip, bits)
        _check_blocks(self._scale, values.size, block)
        self._bits = bits
        self._seed = seed
        self._block = block
        self._middle = np.uint32(_half(bits) << fraction_bits(bits))
        self._edge = values.dtype.type(self._middle)
        # Working memory, kept between reads: pages handed back and fetched again take longer than the arithmetic.
        width = min(_CHUNK, values.size)
        self._scaled = np.empty(width, dtype=values.dtype)
        self._random = np.empty(width, dtype="<u2")
        self._finite = np.empty(width, dtype=np.bool_)

    def __len__(self) -> int:
        return self._values.size

    def read(self, start: int, stop: int, out: NDArray[np.uint32] | None = None) -> NDArray[np.uint32]:
        """Return entries ``start`` to ``stop``, uint32 ``(stop - start,)``; written to ``out`` where it is given."""
        if out is None:
            out = np.empty(stop - start, dtype=np.uint32)
        stream = Keystream(self._seed, start=2 * start)
        with np.errstate(over="ignore", invalid="ignore"):
            for low in range(start, stop, _CHUNK):
                self._round(low, out[low - start : min(low + _CHUNK, stop) - start], stream)
        return out

    def norm_squared(self) -> int:
        """Return the exact square of the Euclidean norm of the rounded vector, in steps: sum (q - half)^2."""
        total = 0
        for low in range(0, len(self), _CHUNK):
            centred = self.read(low, min(low + _CHUNK, len(self))).astype(np.int64) - _half(self._bits)
            total += int(np.dot(centred, centred))  # at most 2^15 (2^23)^2
        return total

    def residual(self) -> Floats:
        """Return what clipping and rounding took off, x - x', in the type of the values.

        Added to the next update it makes the errors of many rounds cancel (error feedback). It is as private as the
        update. It is never taken behind noise: fed back, noise would be taken off again.

        Source: Seide et al., "1-Bit Stochastic Gradient Descent" (2014), section 3.
        """
        out = np.empty_like(self._values)
        for low in range(0, len(self), _CHUNK):
            stop = min(low + _CHUNK, len(self))
            centred = self.read(low, stop).astype(np.float64) - _half(self._bits)
            out[low:stop] = self._values[low:stop] - centred * _spread(self._step, self._block, low, stop)
        return out

    def _round(self, low: int, out: NDArray[np.uint32], stream: Keystream) -> None:
        count = out.size
        values = self._values[low : low + count]
        scaled, random, finite = self._scaled[:count], self._random[:count], self._finite[:count]
        fraction = fraction_bits(self._bits)
        np.multiply(values, _spread(self._scale, self._block, low, low + count), out=scaled, dtype=scaled.dtype)
        if not np.isfinite(values, out=finite).all():
            raise InputError("quantize.not-finite", "an update holds a value that is not finite",
                             expected="finite numbers", hint="the training diverged: lower its step size")
        np.clip(scaled, -self._edge, self._edge, out=scaled)
        np.copyto(out.view(np.int32), scaled, casting="unsafe")
        stream.fill(random)
        if fraction < _RANDOM_BITS:
            np.right_shift(random, _RANDOM_BITS - fraction, out=random)
        widened = scaled.view(np.uint32)[:count]  # a sum of two types would go through small buffers
        np.copyto(widened, random)
        np.add(out, self._middle, out=out)
        np.add(out, widened, out=out)
        np.right_shift(out, fraction, out=out)


def dequantize(
    total: NDArray[np.uint32], clip: Clip, bits: int, addends: int, *, block: int = 0, offset: int = 0
) -> NDArray[np.float64]:
    """Read the sum of ``addends`` quantised updates back, shape ``(n,)``; each addend is within clip / half.

    Args:
        total: the sums, from entry 0 on.
        clip: as they were quantised with, and so is ``block``.
        bits: as they were quantised with.
        addends: how many were summed.
        block: entries that share a bound; 0 where all share one.
        offset: what each addend was raised by beyond its grid's middle (that of its noise).
    """
    step = step_of(clip, bits)
    _check_blocks(step, total.size, block)
    out = total.astype(np.float64)
    out -= float(addends * (_half(bits) + offset))
    out *= _spread(step, block, 0, total.size)
    return out


def _half(bits: int) -> int:
    return (1 << (bits - 1)) - 1


def _spread(per_block: NDArray[Any], block: int, start: int, stop: int) -> NDArray[Any]:
    """Return its block's figure for each entry from ``start`` to ``stop``, or the one figure of all."""
    if not block:
        return per_block
    first = start // block
    repeated = np.repeat(per_block[first : -(-stop // block)], block)
    return repeated[start - first * block : stop - first * block]


def _check_blocks(per_block: NDArray[Any], entries: int, block: int) -> None:
    expected = (-(-entries // block),) if block else ()
    if per_block.shape != expected:
        raise InputError("quantize.bad-blocks", "there is not one bound for each block of an update",
                         got=per_block.shape, expected=expected)
