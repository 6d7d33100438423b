"""Arithmetic modulo a prime below 2^31 on unsigned 32-bit words, as functions that kernels call.

Everything is exact and without a branch on a value, so results are those of any other way to compute them.
"""

from __future__ import annotations

from sealane.ring.cuda_kernel import inlined, tl


@inlined
def load(pointer: tl.tensor) -> tl.tensor:
    """Read int32 storage as unsigned words."""
    return tl.load(pointer).to(tl.uint32, bitcast=True)


@inlined
def load_where(pointer: tl.tensor, mask: tl.tensor) -> tl.tensor:
    """Read int32 storage as unsigned words; zero outside the mask."""
    return tl.load(pointer, mask=mask, other=0).to(tl.uint32, bitcast=True)


@inlined
def store(pointer: tl.tensor, words: tl.tensor) -> None:
    """Write unsigned words to int32 storage."""
    tl.store(pointer, words.to(tl.int32, bitcast=True))


@inlined
def store_where(pointer: tl.tensor, words: tl.tensor, mask: tl.tensor) -> None:
    """Write unsigned words to int32 storage, inside the mask only."""
    tl.store(pointer, words.to(tl.int32, bitcast=True), mask=mask)


@inlined
def below(x: tl.tensor, prime: tl.tensor) -> tl.tensor:
    """Reduce x < 2p to [0, p): the subtraction wraps around where it must not happen."""
    return tl.minimum(x, x - prime)


@inlined
def add(a: tl.tensor, b: tl.tensor, prime: tl.tensor) -> tl.tensor:
    """Add two residues."""
    return below(a + b, prime)


@inlined
def subtract(a: tl.tensor, b: tl.tensor, prime: tl.tensor) -> tl.tensor:
    """Subtract a residue from another."""
    return below(a + (prime - b), prime)


@inlined
def signed(x: tl.tensor, prime: tl.tensor) -> tl.tensor:
    """Return the residue of an int32 with a magnitude below p."""
    return (x + ((x >> 31) & prime.to(tl.int32, bitcast=True))).to(tl.uint32, bitcast=True)


@inlined
def shoup(x: tl.tensor, factor: tl.tensor, quotient: tl.tensor, prime: tl.tensor) -> tl.tensor:
    """Multiply any 32-bit word by a known factor w < p, of which ``quotient`` is floor(w 2^32 / p).

    Source: Harvey, "Faster arithmetic for number-theoretic transforms" (2014), algorithm 2: the remainder before the
    last step is below 2p.
    """
    return below(x * factor - tl.umulhi(x, quotient) * prime, prime)


@inlined
def montgomery(a: tl.tensor, b: tl.tensor, prime: tl.tensor, inverse: tl.tensor) -> tl.tensor:
    """Return a b / 2^32 for residues a and b, ``inverse`` being 1/p modulo 2^32.

    Source: Montgomery, "Modular multiplication without trial division" (1985), in the form that subtracts: the lower
    words of a b and of m p are equal, so their difference is that of the upper words.
    """
    m = a * b * inverse
    return below(tl.umulhi(a, b) + (prime - tl.umulhi(m, prime)), prime)
