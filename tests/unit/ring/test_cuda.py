"""The cuda backend gives the bytes of the reference and of the CPU, on a GPU where there is one, else interpreted."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import rlwe_reference as reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the cuda backend needs PyTorch: pip install 'sealane[cuda]'")
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it while it is imported
pytest.importorskip("triton", reason="the cuda backend needs Triton: pip install 'sealane[cuda]'")

from sealane.core.secret import Secret  # noqa: E402
from sealane.errors import InputError, ProtocolError, SealaneError, UnavailableError  # noqa: E402
from sealane.ring import cuda  # noqa: E402
from sealane.ring.base import ArrayValues  # noqa: E402
from sealane.ring.cuda import CudaBackend, RoundedValues, TensorValues  # noqa: E402
from sealane.ring.cuda_track import Track, stretches  # noqa: E402
from sealane.ring.packing import Packing, pack  # noqa: E402
from sealane.ring.primes import Ring, largest_ring  # noqa: E402

ON = "cuda" if torch.cuda.is_available() else "cpu"
BACKEND = CudaBackend()
PUBLIC, ERROR, KEY = bytes(range(32)), Secret(b"e" * 32), Secret(b"k" * 32)
few = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))


def small(bits: int = 28, count: int = 2, base: int = 2**20 + 1, degree: int = 32) -> tuple[Packing, reference.Scheme]:
    packing = pack(largest_ring(degree, bits, count), base, 172)
    return packing, reference.Scheme(degree, bits, packing.ring.primes, base, 172)


def some(packing: Packing, length: int, addends: int = 1) -> np.ndarray:
    largest = (packing.base - 1) // addends
    return np.random.default_rng(length).integers(0, largest, length, dtype=np.uint32, endpoint=True)


def seal(packing: Packing, values: Any, key: np.ndarray) -> bytes:
    return BACKEND.encrypt(packing, values, public_seed=PUBLIC, key=key, error_seed=ERROR)


def summed(packing: Packing, length: int, payloads: list[bytes]) -> np.ndarray:
    total = BACKEND.total(packing, length)
    for payload in payloads:
        for group in range(packing.groups(length)):
            begin = packing.ring.bits * packing.offset(group) // 8
            block = payload[begin : begin + packing.block_bytes(length, group)]
            BACKEND.add(packing, length, total, group, memoryview(block))
    return total


def refused(call: Any, branch: type[SealaneError], code: str) -> None:
    with pytest.raises(branch) as caught:
        call()
    assert caught.value.code == code


@pytest.fixture(scope="module")
def sealed() -> tuple[Packing, np.ndarray, np.ndarray, bytes]:
    """A packing, some values, a key and the payload; each call of the interpreter takes about a second."""
    packing, _ = small()
    values, key = some(packing, 70, 2), BACKEND.secret_key(packing.ring, KEY)
    return packing, values, key, seal(packing, ArrayValues(values), key)


@few
@given(
    st.sampled_from([(28, 2), (30, 3), (31, 2)]),
    st.sampled_from([3, 2**20 + 1, 2**32 - 1]),
    st.floats(0, 1),
)
@example((30, 3), 2**20 + 1, 0.8)  # two groups, the last one not full
def test_payloads_sums_and_opened_values_are_those_of_the_reference(
    ring: tuple[int, int], base: int, fill: float
) -> None:
    packing, scheme = small(*ring, base)
    length = 1 + int(fill * 2 * packing.group_values)  # up to two groups
    key = BACKEND.secret_key(packing.ring, KEY)
    assert key.tolist() == scheme.secret_key(KEY.reveal())
    values = some(packing, length, 2)
    payload = seal(packing, ArrayValues(values), key)
    expected = scheme.encrypt(values.tolist(), PUBLIC, key.tolist(), ERROR.reveal())
    assert payload == expected
    total = summed(packing, length, [payload, payload])
    assert BACKEND.write(packing, length, total) == scheme.add([expected, expected], length)
    opened = list(BACKEND.open(packing, length, total, public_seed=PUBLIC, key_sum=2 * key))
    assert [group.size for group in opened] == [stop - start for start, stop, _ in scheme.groups(length)]
    assert np.array_equal(np.concatenate(opened), 2 * values)


@pytest.mark.parametrize(("bits", "degree"), [(30, 64), (28, 256)])
def test_seven_primes_give_the_bytes_of_the_cpu(bits: int, degree: int) -> None:
    pytest.importorskip("numba", reason="the cpu backend needs numba")
    from sealane.ring.cpu import CpuBackend

    cpu, packing = CpuBackend(), pack(largest_ring(degree, bits, 7), 4 * 65535 + 1, 4 * 86)
    length = 5 * degree
    values, key = some(packing, length, 2), BACKEND.secret_key(packing.ring, KEY)
    assert np.array_equal(key, cpu.secret_key(packing.ring, KEY))
    payload = seal(packing, ArrayValues(values), key)
    assert payload == cpu.encrypt(packing, ArrayValues(values), public_seed=PUBLIC, key=key, error_seed=ERROR)
    total = summed(packing, length, [payload, payload])
    for backend in (BACKEND, cpu):
        opened = list(backend.open(packing, length, total, public_seed=PUBLIC, key_sum=2 * key))
        assert np.array_equal(np.concatenate(opened), 2 * values)


def test_a_vector_is_worked_on_stretch_by_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    packing, scheme = small(base=2**32 - 1)
    length = packing.group_values + 5
    parts = list(stretches(packing, length, 1))
    assert [(part.first, part.start, part.count, part.residues) for part in parts] == [
        (group, start, stop - start, 2 * used) for group, (start, stop, used) in enumerate(scheme.groups(length))
    ]
    monkeypatch.setattr(cuda, "stretches", lambda packing, length: stretches(packing, length, 1))
    values, key = some(packing, length), BACKEND.secret_key(packing.ring, KEY)
    payload = seal(packing, ArrayValues(values), key)
    assert payload == scheme.encrypt(values.tolist(), PUBLIC, key.tolist(), ERROR.reveal())
    total = summed(packing, length, [payload])
    assert BACKEND.write(packing, length, total) == payload
    opened = BACKEND.open(packing, length, total, public_seed=PUBLIC, key_sum=key)
    assert np.array_equal(np.concatenate(list(opened)), values)


def test_tensors_stay_on_the_device(sealed: tuple[Packing, np.ndarray, np.ndarray, bytes]) -> None:
    packing, values, key, expected = sealed
    length = values.size
    tensor = torch.from_numpy(values.view(np.int32)).to(ON)
    payload = BACKEND.encrypt_tensor(packing, TensorValues(tensor), public_seed=PUBLIC, key=key, error_seed=ERROR)
    assert payload.device == tensor.device
    assert payload.cpu().numpy().tobytes() == expected
    assert np.array_equal(tensor.cpu().numpy().view(np.uint32), values)
    assert np.array_equal(TensorValues(tensor).read(3, 8), values[3:8])
    total = BACKEND.device_total(packing, length)
    BACKEND.add_payload(packing, length, total, payload)
    BACKEND.add(packing, length, total, 0, expected)
    [(part, sums)] = BACKEND.open_tensors(packing, length, total, public_seed=PUBLIC, key_sum=2 * key)
    assert (part.start, part.count, sums.device) == (0, length, tensor.device)
    assert np.array_equal(sums.cpu().numpy().view(np.uint32), 2 * values)
    assert BACKEND.write(packing, length, total) == BACKEND.write(packing, length, total.cpu().numpy().view(np.uint32))


def test_an_update_on_the_device_is_rounded_on_its_way() -> None:
    packing, length = small()[0], 300
    key = BACKEND.secret_key(packing.ring, KEY)
    update = torch.from_numpy(np.random.default_rng(5).standard_normal(length).astype(np.float32)).to(ON)
    rounded = RoundedValues(update, np.array([2.0**16 * 32767], dtype=np.float32), 32767 << 16, 16, Secret(b"r" * 32))
    assert seal(packing, rounded, key) == seal(packing, ArrayValues(rounded.read(0, length)), key)
    update[200] = float("inf")
    with pytest.raises(InputError) as caught:
        seal(packing, rounded, key)
    assert caught.value.code == "quantize.not-finite"


def test_nothing_secret_stays_in_a_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks: list[Track] = []
    keys: list[Any] = []
    streams: list[Any] = []

    class Watched(Track):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            tracks.append(self)

        def mask(self, round_keys: Any, key: Any, *rest: Any) -> None:
            keys.append(key)
            super().mask(round_keys, key, *rest)
            assert self.residues.any()

        def seal(self, values: Any, seed: Any, *rest: Any) -> None:
            streams.append(seed)
            assert values.any()
            assert seed.any()
            super().seal(values, seed, *rest)

    packing, length = small()[0], 50
    key = BACKEND.secret_key(packing.ring, KEY)
    monkeypatch.setattr(cuda, "Track", Watched)
    payload = seal(packing, ArrayValues(some(packing, length)), key)
    list(BACKEND.open(packing, length, summed(packing, length, [payload]), public_seed=PUBLIC, key_sum=key))
    large = np.full(length, packing.base, dtype=np.uint32)
    refused(lambda: seal(packing, ArrayValues(large), key), InputError, "rlwe.value-out-of-range")
    left = [*keys, *streams, *(buffer for track in tracks for buffer in (track.residues, track._values, track._host))]
    assert len(keys) == 3
    assert len(streams) == 2
    assert not any(buffer.any() for buffer in left if buffer is not None)


def test_what_does_not_fit_is_refused(sealed: tuple[Packing, np.ndarray, np.ndarray, bytes]) -> None:
    packing, values, key, payload = sealed
    length, ring, good = values.size, packing.ring, ArrayValues(values)
    refused(lambda: seal(packing, good, key[1:]), InputError, "rlwe.wrong-key")
    refused(lambda: seal(packing, good, key.astype(np.int64)), InputError, "rlwe.wrong-key")
    refused(lambda: seal(packing, good, np.full_like(key, -(2**31))), InputError, "rlwe.wrong-key")
    refused(lambda: seal(packing, ArrayValues(values.astype(np.uint64)), key), InputError, "rlwe.wrong-values")
    refused(lambda: BACKEND.secret_key(ring, Secret(bytes(31))), InputError, "ring.bad-seed")
    refused(lambda: TensorValues(torch.zeros(3)), InputError, "ring.bad-tensor")
    refused(lambda: TensorValues(torch.zeros(3, 3, dtype=torch.int32)), InputError, "ring.bad-tensor")
    meta = TensorValues(torch.zeros(length, dtype=torch.int32, device="meta"))
    refused(lambda: seal(packing, meta, key), InputError, "ring.bad-tensor")
    scales = np.ones(2, dtype=np.float32)
    refused(lambda: RoundedValues(torch.zeros(9), scales, 7, 16, KEY), InputError, "ring.bad-scales")
    refused(lambda: RoundedValues(torch.zeros(9).double(), scales, 7, 16, KEY), InputError, "ring.bad-tensor")
    many = Ring(32, 28, reference.primes_below(28, 32, 8))
    refused(lambda: BACKEND.secret_key(many, KEY), InputError, "rlwe.ring-not-on-cuda")
    total = BACKEND.total(packing, length)
    refused(lambda: BACKEND.add(packing, length, total, 0, payload[:-4]), ProtocolError, "rlwe.wrong-length")
    refused(lambda: BACKEND.add(packing, length, total[1:], 0, payload), InputError, "rlwe.wrong-total")
    refused(lambda: BACKEND.write(packing, length, total.view(np.int32)), InputError, "rlwe.wrong-total")


@pytest.mark.parametrize("on_device", [False, True])
def test_a_block_that_is_refused_leaves_the_total_as_it_was(on_device: bool) -> None:
    packing, scheme = small()
    rows = [[5, *range(31)], [packing.ring.primes[1], *range(31)]]  # the last row's first residue is its prime itself
    total: Any = BACKEND.device_total(packing, 1) if on_device else BACKEND.total(packing, 1)
    total += 12345
    before = total.tolist()
    refused(lambda: BACKEND.add(packing, 1, total, 0, scheme.write(rows)), ProtocolError, "rlwe.residue-out-of-range")
    assert total.tolist() == before


def test_a_wrong_key_or_seed_does_not_open(sealed: tuple[Packing, np.ndarray, np.ndarray, bytes]) -> None:
    packing, values, key, payload = sealed
    total = summed(packing, values.size, [payload])
    for seed, other in ((PUBLIC, -key), (bytes(32), key)):
        opened = BACKEND.open(packing, values.size, total, public_seed=seed, key_sum=other)
        refused(lambda opened=opened: next(opened), ProtocolError, "rlwe.noise-out-of-range")


def test_an_empty_vector_has_an_empty_payload() -> None:
    packing, _ = small()
    key = BACKEND.secret_key(packing.ring, KEY)
    assert seal(packing, ArrayValues(np.empty(0, dtype=np.uint32)), key) == b""
    total = BACKEND.total(packing, 0)
    assert BACKEND.write(packing, 0, total) == b""
    assert list(BACKEND.open(packing, 0, total, public_seed=PUBLIC, key_sum=key)) == []


def test_without_a_gpu_the_backend_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "INTERPRETED", False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(CudaBackend, UnavailableError, "ring.no-gpu")
