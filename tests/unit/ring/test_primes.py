"""Primes, roots and tables against trial division and Python's pow."""

from __future__ import annotations

import pytest
import rlwe_reference as reference

from sealane.errors import InputError
from sealane.ring.primes import WIDTHS, Ring, bit_reversed, is_prime, largest_ring, quotients, root_of


def test_primality_is_that_of_trial_division() -> None:
    assert [n for n in range(2000) if is_prime(n)] == [n for n in range(2000) if reference.is_prime(n)]
    # Strong pseudoprimes to the first bases (OEIS A014233): 2, 3 / 2, 3, 5 / 2, 3, 5, 7.
    assert not any(is_prime(n) for n in (1_373_653, 25_326_001, 3_215_031_751, 2**61 + 1))
    assert is_prime(2**61 - 1)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("degree", [32, 8192])
def test_a_ring_has_the_largest_primes(bits: int, degree: int) -> None:
    ring = largest_ring(degree, bits, 7)
    assert ring.primes == reference.primes_below(bits, degree, 7)
    assert ring is largest_ring(degree, bits, 7)
    product = 1
    for prime in ring.primes:
        product *= prime
    assert ring.modulus == product


@pytest.mark.parametrize("bits", WIDTHS)
def test_tables_hold_powers_of_the_smallest_root(bits: int) -> None:
    ring = largest_ring(64, bits, 3)
    for row, prime in enumerate(ring.primes):
        psi = reference.psi(prime, 64)
        assert root_of(prime, 64) == psi
        order = [reference.reversed_bits(i, 64) for i in range(64)]
        forward = [pow(psi, i, prime) for i in order]
        inverse = [pow(psi, -i, prime) for i in order]
        assert ring.roots.forward[row].tolist() == forward
        assert ring.roots.inverse[row].tolist() == inverse
        assert ring.roots.forward_quotients[row].tolist() == [(w << 32) // prime for w in forward]
        assert ring.roots.inverse_quotients[row].tolist() == [(w << 32) // prime for w in inverse]
        assert quotients(ring.roots.forward[row], prime).tolist() == [(w << 32) // prime for w in forward]
    assert [bit_reversed(i, 6) for i in range(64)] == order


def test_tables_are_made_once_and_cannot_be_written_to() -> None:
    ring = largest_ring(64, 28, 2)
    assert Ring(64, 28, ring.primes).roots is ring.roots
    with pytest.raises(ValueError, match="read-only"):
        ring.roots.forward[0, 0] = 1


@pytest.mark.parametrize(
    ("degree", "bits", "primes"),
    [
        (48, 28, (268435009,)),  # no power of two
        (16, 28, (268435361,)),  # too small
        (64, 29, (536870273,)),  # no width that goes on the wire
        (64, 28, ()),
        (64, 28, (largest_ring(64, 28, 1).primes[0],) * 2),  # twice the same
        (64, 28, (268435399,)),  # a prime, but not 1 modulo 2N
        (64, 28, (2**28 - 127,)),  # 1 modulo 2N, but no prime
        (64, 28, largest_ring(64, 30, 1).primes),  # too wide
        (64, 30, largest_ring(64, 28, 1).primes),  # below half of the width
    ],
)
def test_what_is_no_ring_is_refused(degree: int, bits: int, primes: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        Ring(degree, bits, primes)
    assert caught.value.code == "rlwe.bad-ring"


def test_more_primes_than_there_are_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        largest_ring(2**22, 28, 40)
    assert caught.value.code == "rlwe.bad-ring"
