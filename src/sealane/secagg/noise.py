"""Each node's share of the noise on a sum: discrete Gaussian integers on the grid of the quantised update.

The nodes that may collude know their own noise, so the shares of the others must carry all of what was promised: of
the agreed minimum of survivors, those beyond the c colluding ones. With h = minimum - c of them, each share has the
variance sigma^2 / h. It is made of agreed numbers alone, and more survivors only add to it.

A share's values are a function of a seed and a position, so they can be read in any order and again, and no branch, no
address and no number of steps depends on them. Up to a deviation of 6 a value comes from a table of thresholds that is
read in full. A wider Gaussian is a narrow one plus twice another,

    X = Y + 2 Z,   Y of deviation 4,   Z of variance (sigma^2 - 16) / 4,   until Z's is at most 6,

which is within a relative 4e-19 of the discrete Gaussian everywhere: the probability of x is Gaussian in x times a
Gaussian sum over shifted integers of deviation 4 sigma_Z / sigma >= 1.49, and that sum is as good as constant
(2 exp(-2 pi^2 1.49^2)). Level l draws from 64-bit words i of ChaCha20(key = seed, nonce = l).

How far all of this is from an exact discrete Gaussian is worked out, so that the accountant can charge it: no value is
drawn too seldom but by a relative ``ratio`` and for a probability of ``deficit`` in all, none too often but for
``excess``. Thresholds are rounded so that only zero, the most likely value, is drawn too seldom; a shortage in the tail
would multiply with exp(epsilon).

Source: Kairouz, Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
Aggregation" (2021), section 3; Micciancio and Walter, "Gaussian Sampling over the Integers" (2017), section 4 (wide
from narrow); Bos, Costello, Naehrig and Stebila, "Post-quantum key exchange for the TLS protocol" (2015), section 4
(tables read in full); Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020),
proposition 25 (the tail is no heavier than a Gaussian's).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.ring.base import Values
from sealane.secagg.keystream import Keystream

NARROWEST = Decimal("0.5")
"""The bound on sums of discrete Gaussians is proven from this deviation of a share on."""
WIDEST = Decimal(1 << 24)
_TABLE = Decimal(6)
_STEP = Decimal(4)
_TAIL_SIGMAS = 11
_DIGITS = 60
_CHUNK = 1 << 14


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """The distribution of one node's noise.

    Attributes:
        sigma: its deviation in integer steps.
        tail: the largest magnitude it takes, ceil(11 sigma).
        levels: the thresholds of the tables that a value is summed from; the one of level l counts 2^l times.
        ratio: how much too seldom a value may be drawn, relative to its probability.
        excess: probability by which values are drawn too often.
        deficit: probability by which values are drawn too seldom, beyond the ratio.
    """

    sigma: Decimal
    tail: int
    levels: tuple[NDArray[np.uint64], ...]
    ratio: Decimal
    excess: Decimal
    deficit: Decimal

    @property
    def headroom(self) -> int:
        """What a slot must hold beyond the largest quantised value: values are raised by ``tail`` to stay positive."""
        return 2 * self.tail


def share_of(sigma: Decimal, minimum: int, colluding: int) -> Share:
    """Return one node's share of noise whose sum has a deviation of ``sigma`` steps or more.

    Args:
        sigma: promised deviation of the sum over the nodes that do not collude.
        minimum: the agreed fewest survivors.
        colluding: how many of them may collude.

    Raises:
        InputError: nobody is left to be noised by, or the share is too narrow or too wide.
    """
    honest = minimum - colluding
    if honest < 1 or colluding < 0:
        raise InputError("noise.nobody-honest", "noise needs survivors beyond the colluding ones",
                         got=f"{minimum} survivors, {colluding} colluding")
    with localcontext() as context:
        context.prec, context.rounding = _DIGITS, ROUND_CEILING
        own = (sigma * sigma / honest).sqrt().next_plus() if sigma.is_finite() and sigma > 0 else Decimal(0)
    if not NARROWEST <= own <= WIDEST:
        raise InputError("noise.bad-deviation", "a node's share of the noise is too narrow or too wide",
                         got=f"{own:.6g} steps", expected=f"{NARROWEST} to {WIDEST} steps",
                         hint="quantise to more bits" if own < NARROWEST else "quantise to fewer bits")
    return _share(own)


class Noised:
    """Quantised values with a share of noise, raised by its tail.

    Args:
        values: the quantised values.
        share: the distribution of the noise.
        seed: 32 bytes for the noise of this contribution and nothing else.
    """

    def __init__(self, values: Values, share: Share, seed: Secret) -> None:
        self._values = values
        self._share = share
        self._seed = seed

    def __len__(self) -> int:
        return len(self._values)

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return entries ``start`` to ``stop``, each at most the values' largest plus ``share.headroom``."""
        noise = draw(self._share, self._seed, start, stop)
        noise += np.int32(self._share.tail)
        return self._values.read(start, stop) + noise.view(np.uint32)


def draw(share: Share, seed: Secret, start: int, stop: int) -> NDArray[np.int32]:
    """Return values ``start`` to ``stop`` of a share's noise, int32 ``(stop - start,)``."""
    out = np.zeros(stop - start, dtype=np.int32)
    streams = [Keystream(seed, nonce=level, start=8 * start) for level in range(len(share.levels))]
    words = np.empty(min(_CHUNK, out.size), dtype="<u8")
    for low in range(0, out.size, _CHUNK):
        piece = out[low : low + _CHUNK]
        for level, (thresholds, stream) in enumerate(zip(share.levels, streams, strict=True)):
            piece_words = words[: piece.size]
            stream.fill(piece_words)
            piece += _invert(piece_words, thresholds) << level
        np.clip(piece, -share.tail, share.tail, out=piece)
    return out


def _invert(words: NDArray[np.uint64], thresholds: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Turn words into values: the lowest bit is the sign, the rest is compared with every threshold."""
    sign = (words & np.uint64(1)).astype(np.int32)
    words >>= np.uint64(1)
    magnitude = np.zeros(words.size, dtype=np.uint8)  # a table has at most 66 thresholds
    reached = np.empty(words.size, dtype=np.bool_)
    for threshold in thresholds:
        np.greater_equal(words, threshold, out=reached)
        magnitude += reached.view(np.uint8)
    return (magnitude.astype(np.int32) ^ -sign) + sign


@lru_cache(maxsize=16)
def _share(sigma: Decimal) -> Share:
    with localcontext() as context:
        context.prec = _DIGITS
        deviations = []
        left = sigma
        while left > _TABLE:
            deviations.append(_STEP)
            left = ((left * left - _STEP * _STEP) / 4).sqrt().next_plus()
        deviations.append(left)
        levels, ratios = zip(*(_table(deviation) for deviation in deviations), strict=True)
        return Share(
            sigma=sigma, tail=_tail(sigma), levels=levels,
            ratio=sum(ratios, (len(levels) - 1) * _WIDENING),
            excess=sum((levels_.size * _LAST_PLACE + _BEYOND for levels_ in levels), _BEYOND),
            deficit=(len(levels) + 1) * _BEYOND,
        )


_WIDENING = Decimal("4e-19")
"""Of X = Y + 2 Z: each probability is within a factor 1 +- 2 exp(-2 pi^2 20 / 9), before and after normalising, which
makes 3.6e-19."""
_BEYOND = Decimal("1.1e-26")
"""A discrete Gaussian is beyond 11 sigma, where tables end and sums are clamped, with at most 2 exp(-11^2 / 2)."""
_LAST_PLACE = Decimal(2) ** -63


def _tail(sigma: Decimal) -> int:
    return int((_TAIL_SIGMAS * sigma).to_integral_value(ROUND_CEILING))


def _table(sigma: Decimal) -> tuple[NDArray[np.uint64], Decimal]:
    """Return thresholds, and by what ratio zero is drawn too seldom.

    A magnitude x from 1 to the tail is drawn with its probability rounded up to a multiple of 2^-63; zero gets the
    rest. Threshold x is 2^63 times the probability of a magnitude of at most x.
    """
    tail = _tail(sigma)
    weights = [(-Decimal(x * x) / (2 * sigma * sigma)).exp() * (2 if x else 1) for x in range(2 * tail)]
    total = sum(weights)  # what is left out is below 10^-100
    left = 2**63
    thresholds = []
    for weight in reversed(weights[1 : tail + 1]):
        left -= int((weight / total * 2**63).to_integral_value(ROUND_CEILING))
        thresholds.append(left)
    table = np.array(thresholds[::-1], dtype=np.uint64)
    table.setflags(write=False)
    return table, tail * _LAST_PLACE / (weights[0] / total - tail * _LAST_PLACE)
