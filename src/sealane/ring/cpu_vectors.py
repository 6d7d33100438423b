"""Sixteen 32-bit words at a time: what the inner loops of the CPU backend are written in.

Left to itself the compiler splits these loops where words must be widened or moved between places, and loses most of
their speed. So they are built here as vectors of LLVM, which it turns into whatever the processor has; they change
no result. Vectors are added, compared and chosen from in step, so that nothing branches on what they hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

WIDTH = 16
WORD = ir.IntType(32)
_INDEX = ir.IntType(64)
_WORDS = ir.VectorType(WORD, WIDTH)
_PAIRS = ir.VectorType(_INDEX, WIDTH // 2)
_LOW = ir.Constant(_PAIRS, [0xFFFFFFFF] * (WIDTH // 2))
_HIGH = ir.Constant(_PAIRS, [0xFFFFFFFF00000000] * (WIDTH // 2))
_32 = ir.Constant(_PAIRS, [32] * (WIDTH // 2))


def vector_code(write: Callable[..., None]) -> Callable[..., None]:
    """Make a function for kernels of one that writes its instructions.

    ``write`` gets a :class:`Vectors`, then for each argument of the call what stands for it: for an array where it
    begins, for an integer written out in the call that integer, for any other number the instruction that yields it.
    """

    def called(_typing: Any, *given: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            arguments = []
            for kind, value in zip(given, values, strict=True):
                if isinstance(kind, types.Array):
                    arguments.append(context.make_array(kind)(context, builder, value).data)
                else:
                    arguments.append(kind.literal_value if isinstance(kind, types.IntegerLiteral) else value)
            write(Vectors(builder), *arguments)
            return context.get_dummy_value()

        return types.void(*given), generate

    called.__signature__ = inspect.signature(write)  # type: ignore[attr-defined]  # numba binds arguments by it
    return cast(Callable[..., None], intrinsic(prefer_literal=True)(called))


class Vectors:
    """Writes instructions on vectors of words into the function that ``build`` stands in.

    Wherever a factor is asked for modulo a prime, it is a pair: the factor and floor(factor * 2^32 / p).
    """

    def __init__(self, build: Any) -> None:
        self.build = build

    def load(self, words: Any, at: Any, count: int = WIDTH) -> Any:
        """Return ``count`` words from index ``at`` on, a number or an instruction."""
        vector = self.build.load(self._place(words, at, count))
        vector.align = 4
        return vector

    def store(self, vector: Any, words: Any, at: Any) -> None:
        """Write a vector from index ``at`` on."""
        self.build.store(vector, self._place(words, at, WIDTH)).align = 4

    def plus(self, index: Any, offset: Any) -> Any:
        """Return an index moved by an offset; both are numbers or instructions."""
        return self.build.add(self._index(index), self._index(offset))

    def _index(self, number: Any) -> Any:
        return ir.Constant(_INDEX, number) if isinstance(number, int) else number

    def _place(self, words: Any, at: Any, count: int) -> Any:
        return self.build.bitcast(self.build.gep(words, [self._index(at)]), ir.VectorType(WORD, count).as_pointer())

    def constants(self, values: Sequence[int]) -> Any:
        """Return a vector of fixed words."""
        return ir.Constant(ir.VectorType(WORD, len(values)), list(values))

    def repeat(self, word: Any) -> Any:
        """Return a vector that holds one word, a number or an instruction, everywhere."""
        if isinstance(word, int):
            return self.constants([word] * WIDTH)
        first = self.build.insert_element(ir.Constant(_WORDS, ir.Undefined), word, ir.Constant(WORD, 0))
        return self.build.shuffle_vector(first, first, self.constants([0] * WIDTH))

    def word(self, words: Any, at: Any) -> Any:
        """Return a vector that holds the word at an index everywhere."""
        return self.repeat(self.build.load(self.build.gep(words, [self._index(at)])))

    def spread(self, words: Any, at: Any, count: int, indices: Sequence[int]) -> Any:
        """Return a vector of some of the ``count`` words from an index on, at fixed indices among them."""
        found = self.load(words, at, count)
        return self.choose(found, found, indices)

    def choose(self, first: Any, second: Any, indices: Sequence[int]) -> Any:
        """Return the words of two vectors, taken as one, at fixed indices."""
        return self.build.shuffle_vector(first, second, self.constants(indices))

    def both(self, left: Any, right: Any) -> Any:
        """Return the bits set in both."""
        return self.build.and_(left, right)

    def either(self, left: Any, right: Any) -> Any:
        """Return the bits set in either."""
        return self.build.or_(left, right)

    def shifted(self, vector: Any, amounts: Sequence[int]) -> Any:
        """Return each word shifted left by its amount, or right where that is negative; from 32 on nothing is left.

        All amounts point one way.
        """
        within = [abs(amount) if abs(amount) < 32 else 0 for amount in amounts]
        shift = self.build.shl if any(amount > 0 for amount in amounts) else self.build.lshr
        kept = self.constants([0xFFFFFFFF if abs(amount) < 32 else 0 for amount in amounts])
        return self.both(shift(vector, self.constants(within)), kept)

    def add(self, left: Any, right: Any, prime: Any) -> Any:
        """Return left + right mod p for operands below p < 2^31: the smaller of s and s - p, one of which wraps."""
        total = self.build.add(left, right)
        return self.smaller(total, self.build.sub(total, prime))

    def sub(self, left: Any, right: Any, prime: Any) -> Any:
        """Return left - right mod p for operands below p < 2^31."""
        return self.lifted(self.build.sub(left, right), prime)

    def lifted(self, vector: Any, prime: Any) -> Any:
        """Return words between -p and p, the negative ones wrapped, modulo p."""
        return self.smaller(vector, self.build.add(vector, prime))

    def lowered(self, vector: Any, prime: Any) -> Any:
        """Return words below 2p < 2^32 modulo p."""
        return self.smaller(vector, self.build.sub(vector, prime))

    def mul(self, value: Any, factor: Sequence[Any], prime: Any) -> Any:
        """Return value * factor mod p for any words and a factor below p.

        Source: Shoup's product, Harvey (2014), Algorithm 4: the estimate is at most one p too low.
        """
        high = self.product(value, factor[1])[1]
        return self.lowered(self.build.sub(self.build.mul(value, factor[0]), self.build.mul(high, prime)), prime)

    def product(self, left: Any, right: Any) -> tuple[Any, Any]:
        """Return the low and the high words of products."""
        build = self.build
        left, right = build.bitcast(left, _PAIRS), build.bitcast(right, _PAIRS)
        even = build.mul(build.and_(left, _LOW), build.and_(right, _LOW))
        odd = build.mul(build.lshr(left, _32), build.lshr(right, _32))
        low = build.or_(build.and_(even, _LOW), build.shl(odd, _32))
        high = build.or_(build.lshr(even, _32), build.and_(odd, _HIGH))
        return build.bitcast(low, _WORDS), build.bitcast(high, _WORDS)

    def smaller(self, left: Any, right: Any) -> Any:
        """Return the smaller of each two words, unsigned."""
        return self.build.select(self.build.icmp_unsigned("<", left, right), left, right)

    def below(self, left: Any, right: Any) -> Any:
        """Return 1 where a word is below another, unsigned, else 0."""
        return self.build.zext(self.build.icmp_unsigned("<", left, right), _WORDS)
