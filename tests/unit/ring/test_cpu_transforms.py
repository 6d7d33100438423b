"""The transforms and masks against sums over all roots, and at full size against evaluation at some of them."""

from __future__ import annotations

import numpy as np
import pytest
import rlwe_reference as reference

from sealane.errors import InputError, ProtocolError
from sealane.ring.cpu import warm_up
from sealane.ring.cpu_forward import divide_by_prime, forward
from sealane.ring.cpu_inverse import mask
from sealane.ring.cpu_mask import Masks
from sealane.ring.packing import LANES
from sealane.ring.primes import WIDTHS, Ring, largest_ring, quotients
from sealane.ring.streams import EXTRA

SEED = bytes(range(100, 132))


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm_up()


def key_of(ring: Ring, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(-61, 62, ring.degree, dtype=np.int32)


def public(ring: Ring, index: int, group: int) -> list[int]:
    block = bytes([1, index]) + group.to_bytes(4, "little") + bytes(10)
    words = reference.aes_words(SEED, block, ring.degree * LANES + EXTRA)
    return reference.accepted(words[:-EXTRA], words[-EXTRA:], ring.bits, ring.primes[index])


def frequent(degree: int, bits: int) -> Ring:
    """A ring whose primes are just above half of 2^bits: about every second candidate is rejected."""
    primes: list[int] = []
    candidate = 2 ** (bits - 1) + 1
    while len(primes) < 2:
        if reference.is_prime(candidate):
            primes.append(candidate)
        candidate += 2 * degree
    return Ring(degree, bits, tuple(primes))


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("degree", [32, 64, 128])
def test_the_forward_transform_evaluates_at_the_roots(degree: int, bits: int) -> None:
    ring = largest_ring(degree, bits, 2)
    for row, prime in enumerate(ring.primes):
        top = np.array([0, 1, prime - 1, prime - 2], dtype=np.uint32)
        values = np.random.default_rng(row).choice(top, degree) if row else np.arange(degree, dtype=np.uint32)
        expected = reference.forward(values.tolist(), prime)
        forward(values, ring.roots.forward[row], ring.roots.forward_quotients[row], np.uint32(prime))
        assert values.tolist() == expected


@pytest.mark.parametrize("bits", WIDTHS)
def test_coefficients_may_be_negative(bits: int) -> None:
    ring = largest_ring(64, bits, 1)
    prime = ring.primes[0]
    signed = np.random.default_rng(bits).integers(1 - prime, prime, 64, dtype=np.int32)
    signed[:4] = [1 - prime, -1, 0, prime - 1]
    values = signed.view(np.uint32).copy()
    forward(values, ring.roots.forward[0], ring.roots.forward_quotients[0], np.uint32(prime))
    assert values.tolist() == reference.forward(signed.tolist(), prime)


@pytest.mark.parametrize("bits", WIDTHS)
def test_quotients_are_exact_also_beside_an_integer(bits: int) -> None:
    prime = largest_ring(8192, bits, 7).primes[3]
    # w with w * 2^32 just above and just below a multiple of p: the inverse of 2^32 times a small number.
    near = [small * pow(2**32, -1, prime) % prime for small in (*range(-600, 0), *range(1, 600))]
    values = np.array([0, 1, prime - 1, *near], dtype=np.uint32)
    out = np.empty_like(values)
    divide_by_prime(values, out, np.uint32(prime))
    assert out.tolist() == [(w << 32) // prime for w in values.tolist()]


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("degree", [32, 64, 128])
def test_a_mask_is_the_negacyclic_product_of_key_and_public_polynomial(degree: int, bits: int) -> None:
    ring = largest_ring(degree, bits, 2)
    key = key_of(ring)
    with Masks(ring, key, SEED) as masks:
        for index, prime in enumerate(ring.primes):
            row, a = masks.row(3, index, degree * LANES), public(ring, index, 3)
            for lane in range(LANES):
                polynomial = reference.inverse_unscaled(a[lane::LANES], prime)
                assert row[lane::LANES].tolist() == reference.product(polynomial, key.tolist(), prime)


@pytest.mark.parametrize("bits", WIDTHS)
def test_the_inverse_undoes_the_forward_transform_but_for_the_degree(bits: int) -> None:
    ring = largest_ring(256, bits, 1)
    prime = ring.primes[0]
    polynomials = np.random.default_rng(bits).integers(0, prime, (LANES, 256), dtype=np.uint32)
    words = np.empty(256 * LANES, dtype=np.uint32)
    for lane, polynomial in enumerate(polynomials):
        there = polynomial.copy()
        forward(there, ring.roots.forward[0], ring.roots.forward_quotients[0], np.uint32(prime))
        words[lane::LANES] = there
    one = np.ones(256, dtype=np.uint32)
    assert mask(words, 0, np.uint32(2**bits - 1), one, quotients(one, prime), ring.roots.inverse[0],
                ring.roots.inverse_quotients[0], np.uint32(prime)) == 0
    expected = polynomials.astype(object).T * 256 % prime
    assert words.reshape(256, LANES).tolist() == expected.tolist()


@pytest.mark.parametrize("bits", WIDTHS)
def test_at_full_size_the_product_has_the_right_values_at_the_roots(bits: int) -> None:
    ring = largest_ring(8192, bits, 7)
    prime, key = ring.primes[6], key_of(ring)
    a = public(ring, 6, 0)
    with Masks(ring, key, SEED) as masks:
        row = masks.row(0, 6, 8192 * LANES).tolist()
    psi = reference.psi(prime, 8192)
    for j, lane in ((0, 0), (1, 1), (4711, 2), (8191, 3)):
        root = pow(psi, 2 * reference.reversed_bits(j, 8192) + 1, prime)
        found, s = 0, 0
        for n in range(8191, -1, -1):
            found, s = (found * root + row[LANES * n + lane]) % prime, (s * root + int(key[n])) % prime
        assert found == 8192 * a[LANES * j + lane] * s % prime


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("degree", [32, 128])
def test_rejected_candidates_take_the_next_accepted_word(bits: int, degree: int) -> None:
    ring = frequent(degree, bits)
    key = key_of(ring)
    with Masks(ring, key, SEED) as masks:
        for index, prime in enumerate(ring.primes):
            block = bytes([1, index]) + bytes(14)
            words = reference.aes_words(SEED, block, degree * LANES)
            rejected = sum(word % 2**bits >= prime for word in words)
            assert degree * LANES / 3 < rejected
            a = public(ring, index, 0)
            expected = reference.product(reference.inverse_unscaled(a[1::LANES], prime), key.tolist(), prime)
            assert masks.row(0, index, degree * LANES)[1::LANES].tolist() == expected


def test_running_out_of_words_is_told() -> None:
    ring = frequent(2048, 28)  # 4096 rejected on average, of 1024 in store
    with Masks(ring, key_of(ring), SEED) as masks, pytest.raises(ProtocolError) as caught:
        masks.row(0, 0, 64)
    assert caught.value.code == "rlwe.expansion-exhausted"


@pytest.mark.parametrize(("rejected", "missing"), [(0, 0), (2, 0), (3, 1)])
def test_the_last_extra_word_is_taken_and_none_beyond(rejected: int, missing: int) -> None:
    ring = largest_ring(64, 28, 1)
    prime = ring.primes[0]
    words = np.full(64 * LANES + 3, 7, dtype=np.uint32)
    words[[200, 3, 255][:rejected]] = 2**28 - 1
    words[-3:] = [2**32 - 1, 5, 9]  # the first of the three is itself rejected
    one = np.ones(64, dtype=np.uint32)
    arguments = one, quotients(one, prime), ring.roots.inverse[0], ring.roots.inverse_quotients[0], np.uint32(prime)
    candidates = [7] * 256
    for place, word in zip(sorted([200, 3, 255][:rejected]), (5, 9), strict=False):
        candidates[place] = word
    assert mask(words, 3, np.uint32(2**28 - 1), *arguments) == missing
    if not missing:
        for lane in range(LANES):
            expected = reference.inverse_unscaled(candidates[lane::LANES], prime)
            assert words[: 64 * LANES][lane::LANES].tolist() == expected


def test_the_transformed_key_is_zeroed_at_the_end() -> None:
    ring = largest_ring(64, 28, 2)
    with Masks(ring, key_of(ring), SEED) as masks:
        assert masks._key.any()
        assert masks._quotients.any()
    assert not masks._key.any()
    assert not masks._quotients.any()


def test_of_a_mask_only_what_is_used_stays_in_memory() -> None:
    ring = largest_ring(64, 28, 2)
    with Masks(ring, key_of(ring), SEED) as masks:
        row = masks.row(0, 0, 96)
    assert row.any()
    assert isinstance(row.base, np.ndarray)
    assert row.base.size == 64 * LANES + EXTRA
    assert not row.base[96:].any()


@pytest.mark.parametrize(
    "key",
    [
        np.zeros(63, dtype=np.int32),
        np.zeros((1, 64), dtype=np.int32),
        np.zeros(64, dtype=np.int64),
        np.full(64, 2**28 - 1, dtype=np.int32),
        np.full(64, -(2**31), dtype=np.int32),
    ],
)
def test_what_is_no_key_is_refused(key: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        Masks(largest_ring(64, 28, 2), key, SEED)
    assert caught.value.code == "rlwe.wrong-key"
