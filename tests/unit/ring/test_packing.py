"""How many values a coefficient takes, and where they lie, against the inequalities that make overflow impossible."""

from __future__ import annotations

import math

import pytest
import rlwe_reference as reference
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.ring.packing import LANES, pack
from sealane.ring.primes import WIDTHS, largest_ring

bases = st.one_of(st.integers(2, 2**32 - 1), st.integers(1, 32).map(lambda bits: 2**bits - 1 + (bits == 1)))


@given(st.sampled_from(WIDTHS), st.integers(1, 7), bases, st.integers(1, 2**31 - 1))
def test_a_packing_is_the_tightest_that_cannot_overflow(bits: int, count: int, base: int, noise: int) -> None:
    ring = largest_ring(64, bits, count)
    if (2 * noise + 1) * base > ring.modulus:
        with pytest.raises(InputError) as caught:
            pack(ring, base, noise)
        assert caught.value.code == "rlwe.base-too-large"
        return
    packing = pack(ring, base, noise)
    messages = base**packing.slots
    # The largest message under the largest noise, moved up by the bound of the noise, is still below q.
    assert packing.step * (messages - 1) + 2 * noise < ring.modulus
    assert 2 * noise < packing.step < 2**32
    assert (2 * noise + 1) * messages * base > ring.modulus
    assert packing.step == min(math.prod(ring.primes) // messages, 2**32 - 1)


@given(st.integers(1, 40_000), st.sampled_from([2, 1021, 262141, 2**32 - 1]))
def test_groups_positions_and_bytes_are_those_of_the_description(length: int, base: int) -> None:
    ring = largest_ring(64, 30, 7)
    packing = pack(ring, base, 344)
    scheme = reference.Scheme(64, 30, ring.primes, base, 344)
    groups = scheme.groups(length)
    assert [(*packing.span(length, g), packing.used(length, g)) for g in range(packing.groups(length))] == groups
    sizes = [7 * used * 30 // 8 for _, _, used in groups]
    assert [packing.block_bytes(length, g) for g in range(len(groups))] == sizes
    assert packing.payload_bytes(length) == sum(sizes)
    assert packing.residues(length) == sum(7 * used for _, _, used in groups)
    assert [packing.offset(g) for g in range(len(groups))] == [7 * sum(u for *_, u in groups[:g]) for g in
                                                               range(len(groups))]
    assert packing.positions == 64 * LANES


def test_an_empty_vector_takes_nothing() -> None:
    packing = pack(largest_ring(64, 30, 7), 100, 86)
    assert (packing.groups(0), packing.residues(0), packing.payload_bytes(0)) == (0, 0, 0)


@pytest.mark.parametrize("group", [-1, 1, 2**40])
def test_a_group_that_is_not_there_is_refused(group: int) -> None:
    packing = pack(largest_ring(64, 30, 7), 100, 86)
    with pytest.raises(InputError) as caught:
        packing.span(10, group)
    assert caught.value.code == "rlwe.no-such-group"


@pytest.mark.parametrize(("base", "noise"), [(1, 86), (2**32, 86), (100, 0), (100, 2**31)])
def test_sums_and_noise_outside_a_slot_are_refused(base: int, noise: int) -> None:
    with pytest.raises(InputError) as caught:
        pack(largest_ring(64, 30, 7), base, noise)
    assert caught.value.code == "rlwe.bad-packing"


def test_the_bytes_of_a_value_are_those_promised() -> None:
    # Values of 16 bits, summed over 4, 10 and 50 nodes under primes of 30 bits and over 100 under primes of 28.
    for bits, cohort, most in ((30, 4, 2.4), (30, 10, 2.65), (30, 50, 2.95), (28, 100, 3.1)):
        packing = pack(largest_ring(8192, bits, 7), cohort * 65535 + 1, cohort * 86)
        assert packing.payload_bytes(1_000_000) / 1_000_000 <= most
