"""Division of long integers, sixteen at a time, by a divisor that fits a 32-bit word.

Source: Möller and Granlund, "Improved division by invariant integers" (2011), Algorithm 4, with words of 32 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring.cpu_kernel import inlined
from sealane.ring.cpu_vectors import WIDTH, Vectors, vector_code

Row = NDArray[np.uint32]


@inlined
def divide(words: Row, length: int, stride: int, count: int, divisor: np.uint32, rest: Row) -> None:
    """Divide integers of ``length`` words in place, and leave the remainders in ``rest``.

    Word w of integer c is at ``w * stride + c``, lowest word first. The last ``stride`` words of the array are zero.
    """
    shift = np.uint32(0)
    while (np.uint64(divisor) << np.uint64(shift)) < np.uint64(1 << 31):
        shift = np.uint32(shift + np.uint32(1))
    normal = np.uint32(np.uint64(divisor) << np.uint64(shift))
    reciprocal = np.uint32(np.uint64(0xFFFFFFFFFFFFFFFF) // np.uint64(normal))  # its lower word: less 2^32
    for at in range(0, count, WIDTH):
        _begin(words, (length - 1) * stride + at, rest, at, shift)
    for word in range(length - 1, -1, -1):
        lower = (word - 1) * stride if word else words.size - stride
        for at in range(0, count, WIDTH):
            _divide_word(words, word * stride + at, lower + at, rest, at, normal, reciprocal, shift)
    for at in range(count):
        rest[at] >>= shift


@vector_code
def _begin(do: Vectors, words: Any, at: Any, rest: Any, there: Any, shift: Any) -> None:
    """Begin 16 remainders with the bits that the shift moves out of the highest words."""
    do.store(_moved_out(do, do.load(words, at), shift), rest, there)


@vector_code
def _divide_word(
    do: Vectors, words: Any, at: Any, lower: Any, rest: Any, there: Any, divisor: Any, reciprocal: Any, shift: Any
) -> None:
    """Divide 16 remainders and the words that follow them; the quotients take the place of the words."""
    build, d, one = do.build, do.repeat(divisor), do.repeat(1)
    moved = build.shl(do.load(words, at), do.repeat(shift))
    word = build.or_(moved, _moved_out(do, do.load(words, lower), shift))
    upper = do.load(rest, there)
    low, high = do.product(upper, do.repeat(reciprocal))
    low = build.add(low, word)
    quotient = build.add(build.add(build.add(high, upper), do.below(low, word)), one)
    remainder = build.sub(word, build.mul(quotient, d))
    over = build.icmp_unsigned(">", remainder, low)
    quotient = build.select(over, build.sub(quotient, one), quotient)
    remainder = build.select(over, build.add(remainder, d), remainder)
    again = build.icmp_unsigned(">=", remainder, d)
    do.store(build.select(again, build.add(quotient, one), quotient), words, at)
    do.store(build.select(again, build.sub(remainder, d), remainder), rest, there)


def _moved_out(do: Vectors, words: Any, shift: Any) -> Any:
    """Return the bits that a shift to the left, of 0 to 31, moves out of words, as the lowest bits of the next."""
    half = do.build.lshr(words, do.repeat(1))
    return do.build.lshr(half, do.build.sub(do.repeat(31), do.repeat(shift)))
