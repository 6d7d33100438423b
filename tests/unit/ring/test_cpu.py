"""The CPU backend against the slow reference, byte for byte, and exact sums at the edges of what a slot holds."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rlwe_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import sealane.ring.cpu as module
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import ArrayValues, Backend
from sealane.ring.cpu import CpuBackend
from sealane.ring.packing import Packing, pack
from sealane.ring.primes import WIDTHS, largest_ring

TAIL = 86
PUBLIC = bytes(range(32))


@pytest.fixture(scope="module")
def backend() -> Backend:
    return CpuBackend()


def blocks(packing: Packing, length: int, payload: bytes) -> list[bytes]:
    cut, at = [], 0
    for group in range(packing.groups(length)):
        cut.append(payload[at : at + packing.block_bytes(length, group)])
        at += len(cut[-1])
    assert at == len(payload)
    return cut


def summed(backend: Backend, packing: Packing, length: int, payloads: list[bytes]) -> np.ndarray:
    total = backend.total(packing, length)
    for payload in payloads:
        for group, block in enumerate(blocks(packing, length, payload)):
            backend.add(packing, length, total, group, block)
    return total


def contribution(
    backend: Backend, packing: Packing, values: np.ndarray, node: int, public_seed: bytes = PUBLIC
) -> tuple[bytes, np.ndarray]:
    key = backend.secret_key(packing.ring, Secret(bytes([1, node]) + bytes(30)))
    payload = backend.encrypt(packing, ArrayValues(values), public_seed=public_seed, key=key,
                              error_seed=Secret(bytes([2, node]) + bytes(30)))
    return payload, key


def opened(backend: Backend, packing: Packing, length: int, total: np.ndarray, key_sum: np.ndarray) -> list[int]:
    groups = list(backend.open(packing, length, total, public_seed=PUBLIC, key_sum=key_sum))
    assert [group.size for group in groups] == [
        stop - start for start, stop in (packing.span(length, g) for g in range(packing.groups(length)))]
    return [value for group in groups for value in group.tolist()]


@pytest.mark.parametrize(
    ("degree", "bits", "primes", "base", "length"),
    [
        (32, 30, 7, 4 * 65535 + 1, 1000),
        (64, 28, 7, 100 * 65535 + 1, 5000),
        (32, 31, 7, 2**32 - 1, 900),
        (32, 28, 7, 2, 2500),  # 32 slots to a digit
        (32, 30, 7, 65536, 1500),  # a digit is a whole word
        (32, 31, 7, 65537, 1500),
        (32, 28, 5, 1021, 33),
        (32, 30, 1, 3000, 300),  # one prime, one slot
        (32, 28, 2, 2**31, 1),
    ],
)
def test_bytes_are_those_of_the_reference(
    backend: Backend, degree: int, bits: int, primes: int, base: int, length: int
) -> None:
    packing = pack(largest_ring(degree, bits, primes), base, 2 * TAIL)
    scheme = reference.Scheme(degree, bits, reference.primes_below(bits, degree, primes), base, 2 * TAIL)
    pick = random.Random(length)
    most = (base - 1) // 2 or 1
    payloads, keys, vectors = [], [], []
    for node in range(2):
        values = [pick.choice((0, most, pick.randint(0, most))) if node == 0 or base > 2 else 0 for _ in range(length)]
        payload, key = contribution(backend, packing, np.array(values, dtype=np.uint32), node)
        assert key.tolist() == scheme.secret_key(bytes([1, node]) + bytes(30))
        assert payload == scheme.encrypt(values, PUBLIC, key.tolist(), bytes([2, node]) + bytes(30))
        payloads.append(payload)
        keys.append(key)
        vectors.append(values)
    total = summed(backend, packing, length, payloads)
    together = scheme.add(payloads, length)
    assert backend.write(packing, length, total) == together
    key_sum = keys[0] + keys[1]
    sums = [a + b for a, b in zip(*vectors, strict=True)]
    assert scheme.open(together, length, PUBLIC, key_sum.tolist()) == sums
    assert opened(backend, packing, length, total, key_sum) == sums


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from(WIDTHS), degree=st.sampled_from([32, 64, 256]), primes=st.integers(1, 7),
    cohort=st.integers(1, 6), largest=st.one_of(st.integers(1, 2**24), st.sampled_from([1, 255, 65535, 2**29])),
    length=st.integers(1, 9000), seed=st.integers(0, 2**32), edges=st.booleans(),
)
def test_sums_are_exact(
    backend: Backend, bits: int, degree: int, primes: int, cohort: int, largest: int, length: int, seed: int,
    edges: bool,
) -> None:
    base, noise = cohort * largest + 1, cohort * TAIL
    ring = largest_ring(degree, bits, primes)
    if (2 * noise + 1) * base > ring.modulus:
        primes, ring = 7, largest_ring(degree, bits, 7)
    packing = pack(ring, base, noise)
    draw = np.random.default_rng(seed)
    vectors = [draw.integers(0, 1 if edges else largest, length, dtype=np.uint32, endpoint=True) for _ in range(cohort)]
    vectors = [values * np.uint32(largest) if edges else values for values in vectors]
    made = [contribution(backend, packing, values, node) for node, values in enumerate(vectors)]
    total = summed(backend, packing, length, [payload for payload, _ in made])
    sums = opened(backend, packing, length, total, np.sum([key for _, key in made], axis=0, dtype=np.int32))
    assert sums == np.sum(np.array(vectors, dtype=np.uint64), axis=0).tolist()


@pytest.mark.parametrize("bits", WIDTHS)
def test_a_vector_of_full_size_is_opened(backend: Backend, bits: int) -> None:
    packing = pack(largest_ring(8192, bits, 7), 2 * 65535 + 1, 2 * TAIL)
    length = packing.group_values + 12_345
    vectors = [np.random.default_rng(node).integers(0, 65536, length, dtype=np.uint32) for node in range(2)]
    made = [contribution(backend, packing, values, node) for node, values in enumerate(vectors)]
    total = summed(backend, packing, length, [payload for payload, _ in made])
    assert opened(backend, packing, length, total, made[0][1] + made[1][1]) == (vectors[0] + vectors[1]).tolist()


def plain(packing: Packing, length: int, message: int, error: int) -> np.ndarray:
    """A total without a mask, the same message and error at every position."""
    residues = [
        (packing.step * message + error) % prime
        for group in range(packing.groups(length))
        for prime in packing.ring.primes
        for _ in range(packing.used(length, group))
    ]
    return np.array(residues, dtype=np.uint32)


@pytest.mark.parametrize("base", [2, 256, 1021, 65536, 262141, 2**31, 2**32 - 1])
@pytest.mark.parametrize("noise", [TAIL, 100 * TAIL, 2**31 - 1])
@pytest.mark.parametrize("bits", WIDTHS)
def test_the_largest_values_open_under_the_largest_noise_and_no_more(
    backend: Backend, bits: int, noise: int, base: int
) -> None:
    packing = pack(largest_ring(32, bits, 7), base, noise)
    length, none = packing.slots * 70, np.zeros(32, dtype=np.int32)
    full = base**packing.slots - 1
    for message, value in ((full, base - 1), (0, 0)):
        for error in (-noise, 0, noise):
            total = plain(packing, length, message, error)
            assert set(opened(backend, packing, length, total, none)) == {value}
    beyond = [(0, -noise - 1), (full + 1, 0)]
    if packing.step > 2 * noise + 1:
        beyond += [(0, noise + 1), (full, noise + 1), (full, -noise - 1)]
    for message, error in beyond:
        if packing.step * message + error + noise >= packing.ring.modulus:
            continue  # wraps round to a message that looks right
        total = plain(packing, length, message, error)
        with pytest.raises(ProtocolError) as caught:
            opened(backend, packing, length, total, none)
        assert caught.value.code == "rlwe.noise-out-of-range"
        assert caught.value.got == f"{packing.used(length, 0)} of {packing.used(length, 0)} positions in group 0"


def test_one_bad_position_is_counted(backend: Backend) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    length = 3 * packing.group_values
    total = plain(packing, length, 5, 7)
    used = packing.used(length, 1)
    for index, prime in enumerate(packing.ring.primes):
        total[packing.offset(1) + index * used + 77] = (packing.step * 5 + TAIL + 1) % prime
    groups = backend.open(packing, length, total, public_seed=PUBLIC, key_sum=np.zeros(64, dtype=np.int32))
    assert next(groups)[0] == 5
    with pytest.raises(ProtocolError) as caught:
        next(groups)
    assert caught.value.got == "1 of 256 positions in group 1"


@pytest.mark.parametrize("what", ["key", "seed", "payload"])
def test_a_wrong_key_seed_or_payload_does_not_open(backend: Backend, what: str) -> None:
    packing = pack(largest_ring(64, 28, 7), 262141, 4 * TAIL)
    payload, key = contribution(backend, packing, np.arange(2000, dtype=np.uint32), 0)
    if what == "payload":
        payload, _ = contribution(backend, packing, np.arange(2000, dtype=np.uint32), 0, public_seed=bytes(32))
    if what == "key":
        key[17] += 1
    groups = backend.open(packing, 2000, summed(backend, packing, 2000, [payload]), key_sum=key,
                          public_seed=PUBLIC if what != "seed" else bytes(32))
    with pytest.raises(ProtocolError) as caught:
        list(groups)
    assert caught.value.code == "rlwe.noise-out-of-range"


@pytest.mark.parametrize("off", [-4, -1, 1, 4])
def test_a_block_of_another_length_is_refused(backend: Backend, off: int) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    size = packing.block_bytes(300, 0)
    total = backend.total(packing, 300)
    with pytest.raises(ProtocolError) as caught:
        backend.add(packing, 300, total, 0, bytes(size + off))
    assert caught.value.code == "rlwe.wrong-length"
    assert (caught.value.got, caught.value.expected) == (f"{size + off} bytes", f"{size} bytes")
    assert not total.any()


@settings(max_examples=100, deadline=None)
@given(bits=st.sampled_from(WIDTHS), seed=st.integers(0, 2**32), data=st.data())
def test_a_residue_out_of_range_is_refused_before_anything_is_added(
    backend: Backend, bits: int, seed: int, data: st.DataObject
) -> None:
    ring = largest_ring(64, bits, 3)
    packing = pack(ring, 1021, TAIL)
    scheme = reference.Scheme(64, bits, ring.primes, 1021, TAIL)
    used = packing.used(500, 0)
    draw = np.random.default_rng(seed)
    rows = [draw.integers(0, prime, used).tolist() for prime in ring.primes]
    row, place = data.draw(st.integers(0, 2)), data.draw(st.integers(0, used - 1))
    rows[row][place] = data.draw(st.sampled_from([ring.primes[row] - 1, ring.primes[row], 2**bits - 1, 0]))
    before = draw.integers(0, ring.primes[2], packing.residues(500), dtype=np.uint32)
    total = before.copy()
    if rows[row][place] < ring.primes[row]:
        backend.add(packing, 500, total, 0, scheme.write(rows))
        expected = [(a + b) % prime for sums, added, prime in zip(before.reshape(3, -1).tolist(), rows, ring.primes,
                    strict=True) for a, b in zip(sums, added, strict=True)]
        assert total.tolist() == expected
        return
    with pytest.raises(ProtocolError) as caught:
        backend.add(packing, 500, total, 0, scheme.write(rows))
    assert caught.value.code == "rlwe.residue-out-of-range"
    assert caught.value.got == f"row {row} of group 0"
    assert np.array_equal(total, before)


@settings(max_examples=60, deadline=None)
@given(bits=st.sampled_from(WIDTHS), data=st.data())
def test_bytes_from_anybody_are_added_or_refused(backend: Backend, bits: int, data: st.DataObject) -> None:
    ring = largest_ring(32, bits, 2)
    packing = pack(ring, 1021, TAIL)
    size = packing.block_bytes(9, 0)
    block = data.draw(st.one_of(st.binary(max_size=2 * size), st.binary(min_size=size, max_size=size)))
    total = backend.total(packing, 9)
    rows = reference.Scheme(32, bits, ring.primes, 1021, TAIL).read(block, 9)[0] if len(block) == size else None
    good = rows is not None and all(max(row) < prime for row, prime in zip(rows, ring.primes, strict=True))
    try:
        backend.add(packing, 9, total, 0, block)
    except ProtocolError:
        assert not good
        assert not total.any()
    else:
        assert good
        assert total.tolist() == [residue for row in rows or [] for residue in row]


def test_blocks_may_be_any_bytes_also_where_they_begin_at_an_odd_address(backend: Backend) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    payload, _ = contribution(backend, packing, np.arange(700, dtype=np.uint32) % 1021, 0)
    expected = summed(backend, packing, 700, [payload])
    moved = bytearray(b"\xff" + payload)
    for block in (bytearray(payload), memoryview(payload), memoryview(moved)[1:]):
        total = backend.total(packing, 700)
        backend.add(packing, 700, total, 0, block)
        assert np.array_equal(total, expected)


def test_threads_of_the_caller_change_no_byte(backend: Backend) -> None:
    packing = pack(largest_ring(8192, 28, 7), 1021, TAIL)
    values = np.random.default_rng(1).integers(0, 1021, 50_000, dtype=np.uint32)
    with ThreadPoolExecutor(3) as pool:
        threaded = CpuBackend(pool.map)
        payload, key = contribution(threaded, packing, values, 0)
        assert payload == contribution(backend, packing, values, 0)[0]
        total = summed(threaded, packing, values.size, [payload])
        assert opened(threaded, packing, values.size, total, key) == values.tolist()


def test_values_are_read_group_by_group_and_not_written_to(backend: Backend) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    read: list[tuple[int, int]] = []

    class Recorded:
        def __len__(self) -> int:
            return 2 * packing.group_values + 5

        def read(self, start: int, stop: int) -> np.ndarray:
            read.append((start, stop))
            values = np.arange(start, stop, dtype=np.uint32) % 1021
            values.setflags(write=False)
            return values

    key = backend.secret_key(packing.ring, Secret(bytes(32)))
    payload = backend.encrypt(packing, Recorded(), public_seed=PUBLIC, key=key, error_seed=Secret(bytes(32)))
    size = packing.group_values
    assert read == [(0, size), (size, 2 * size), (2 * size, 2 * size + 5)]
    whole = ArrayValues((np.arange(2 * size + 5) % 1021).astype(np.uint32))
    assert payload == backend.encrypt(packing, whole, public_seed=PUBLIC, key=key, error_seed=Secret(bytes(32)))


def test_an_empty_vector_is_an_empty_payload(backend: Backend) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    payload, key = contribution(backend, packing, np.empty(0, dtype=np.uint32), 0)
    assert payload == b"" == backend.write(packing, 0, backend.total(packing, 0))
    assert opened(backend, packing, 0, backend.total(packing, 0), key) == []


@pytest.mark.parametrize("value", [1021, 2**31, 2**32 - 1])
def test_a_value_that_no_slot_holds_is_refused(backend: Backend, value: int) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    values = np.zeros(900, dtype=np.uint32)
    values[777] = value
    with pytest.raises(InputError) as caught:
        contribution(backend, packing, values, 0)
    assert caught.value.code == "rlwe.value-out-of-range"
    assert str(value) not in str(caught.value.got)


def test_values_of_another_type_or_number_are_refused(backend: Backend) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    with pytest.raises(InputError) as caught:
        contribution(backend, packing, np.zeros(5, dtype=np.int64), 0)  # type: ignore[arg-type]
    assert caught.value.code == "rlwe.wrong-values"


@pytest.mark.parametrize("total", [np.zeros(5, dtype=np.uint32), np.zeros(14 * 96, dtype=np.uint32)[::2],
                                   np.zeros(7 * 96, dtype=np.int64)])
def test_what_is_no_total_is_refused(backend: Backend, total: np.ndarray) -> None:
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    length = packing.slots * 96
    assert packing.residues(length) == 7 * 96
    for use in (
        lambda: backend.add(packing, length, total, 0, bytes(packing.block_bytes(length, 0))),
        lambda: backend.write(packing, length, total),
        lambda: opened(backend, packing, length, total, np.zeros(64, dtype=np.int32)),
    ):
        with pytest.raises(InputError) as caught:
            use()
        assert caught.value.code == "rlwe.wrong-total"


def test_words_errors_and_messages_are_zeroed(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[np.ndarray] = []

    def keep(name: str, *places: int) -> None:
        real = getattr(module, name)

        def wrapped(*arguments: object) -> object:
            result = real(*arguments)
            held = [arguments[place] for place in places]
            assert all(array.any() for array in held)  # type: ignore[attr-defined]
            kept.extend(held)  # type: ignore[arg-type]
            return result

        monkeypatch.setattr(module, name, wrapped)

    keep("draw", 0, 2)
    keep("messages", 6, 10)
    packing = pack(largest_ring(64, 30, 7), 1021, TAIL)
    contribution(backend, packing, np.full(300, 1000, dtype=np.uint32), 0)
    words_of_key, key, words, errors, errors_again, residues = kept
    assert key.any()  # the caller's
    assert errors is errors_again
    assert not any(array.any() for array in (words_of_key, words, errors, residues))
