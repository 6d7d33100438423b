"""Each kernel against another writing of what it computes, on a GPU where there is one, else interpreted."""

from __future__ import annotations

import os

import numpy as np
import pytest
import rlwe_reference as reference

torch = pytest.importorskip("torch", reason="the cuda backend needs PyTorch: pip install 'sealane[cuda]'")
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # Triton reads it while it is imported
pytest.importorskip("triton", reason="the cuda backend needs Triton: pip install 'sealane[cuda]'")

from sealane.core.secret import Secret  # noqa: E402
from sealane.errors import InputError  # noqa: E402
from sealane.ring import cuda_gaussian, cuda_modular, cuda_ntt, cuda_open, cuda_public, cuda_wire  # noqa: E402
from sealane.ring.cuda_kernel import kernel, launch, tl  # noqa: E402
from sealane.ring.cuda_tables import packing_tables, ring_tables, words  # noqa: E402
from sealane.ring.cuda_values import RoundedValues  # noqa: E402
from sealane.ring.packing import pack  # noqa: E402
from sealane.ring.primes import largest_ring  # noqa: E402

ON = "cuda" if torch.cuda.is_available() else "cpu"
DEGREE, POSITIONS = 32, 128


def empty(count: int) -> torch.Tensor:
    """A buffer of something that no kernel writes."""
    return torch.full((count,), 0x5A5A5A5A, dtype=torch.int32, device=ON)


def up(values: object) -> torch.Tensor:
    return words(np.array(values, dtype=np.uint32), ON)


def down(tensor: torch.Tensor) -> list[int]:
    return tensor.cpu().numpy().view(np.uint32).tolist()


@kernel
def every_operation(a: tl.tensor, b: tl.tensor, row: tl.tensor, out: tl.tensor, TILE: tl.constexpr) -> None:
    place = tl.arange(0, TILE)
    prime, inverse = cuda_modular.load(row), cuda_modular.load(row + 1)
    x, y = cuda_modular.load(a + place), cuda_modular.load(b + place)
    factor, quotient = cuda_modular.load(row + 2), cuda_modular.load(row + 3)
    cuda_modular.store(out + place, cuda_modular.add(x, y, prime))
    cuda_modular.store(out + TILE + place, cuda_modular.subtract(x, y, prime))
    cuda_modular.store(out + 2 * TILE + place, cuda_modular.montgomery(x, y, prime, inverse))
    cuda_modular.store(out + 3 * TILE + place, cuda_modular.shoup(x ^ 0xFFFFFFFF, factor, quotient, prime))
    cuda_modular.store(out + 4 * TILE + place, cuda_modular.signed(-(x >> 1).to(tl.int32), prime))


@pytest.mark.parametrize("bits", [28, 30, 31])
def test_modular_arithmetic_at_the_corners(bits: int) -> None:
    prime = reference.primes_below(bits, DEGREE, 1)[0]
    corners = [0, 1, 2, prime // 2, prime // 2 + 1, prime - 3, prime - 2, prime - 1]
    a, b = [x for x in corners for _ in corners], corners * len(corners)
    factor, out = 2**32 % prime, empty(5 * 64)
    row = up([prime, pow(prime, -1, 2**32), factor, 2**32 * factor // prime])
    launch(every_operation, (1,), up(a), up(b), row, out, TILE=64)
    over = pow(2**32, -1, prime)
    assert np.array(down(out)).reshape(5, 64).tolist() == [
        [(x + y) % prime for x, y in zip(a, b, strict=True)],
        [(x - y) % prime for x, y in zip(a, b, strict=True)],
        [x * y * over % prime for x, y in zip(a, b, strict=True)],
        [(x ^ 0xFFFFFFFF) * factor % prime for x in a],
        [-(x >> 1) % prime for x in a],
    ]


@kernel
def chacha_words(seed: tl.tensor, nonce: tl.tensor, out: tl.tensor, BLOCKS: tl.constexpr) -> None:
    counter = tl.arange(0, BLOCKS).to(tl.uint32)
    state = cuda_gaussian.chacha(seed, cuda_modular.load(nonce), counter, BLOCKS)
    for place in tl.static_range(16):
        cuda_modular.store(out + tl.arange(0, BLOCKS) * 16 + place, state[place])


@pytest.mark.parametrize("nonce", [0, 1, 0x01020304])
def test_chacha20_is_that_of_another_library(nonce: int) -> None:
    seed, out = bytes(range(7, 39)), empty(16 * 16)
    launch(chacha_words, (1,), words(np.frombuffer(seed, "<u4"), ON), up([nonce]), out, BLOCKS=16)
    expected = reference.chacha_words(seed, nonce.to_bytes(4, "little") + bytes(8), 128)
    assert out.cpu().numpy().tobytes() == b"".join(word.to_bytes(8, "little") for word in expected)


@pytest.mark.parametrize("sigma", ["6.36396", "9"])
def test_draws_are_the_values_of_the_table(sigma: str) -> None:
    seed, count = b"\x07" * 32, 512
    table, out = reference.thresholds(sigma), empty(count)
    thresholds = torch.tensor(table, dtype=torch.int64, device=ON)
    launch(cuda_gaussian.draw_key, (2,), words(np.frombuffer(seed, "<u4"), ON), out, thresholds, len(table), TILE=256)
    stream = reference.chacha_words(seed, bytes(12), count)
    assert out.tolist() == [reference.gaussian_value(word, table) for word in stream]


def test_a_draw_that_meets_a_threshold_counts_it() -> None:
    seed, out = b"\x07" * 32, empty(256)
    stream = reference.chacha_words(seed, bytes(12), 256)
    table = tuple(sorted(word >> 1 for word in stream[:40]))  # met exactly, which by chance happens once in 2^56 draws
    thresholds = torch.tensor(table, dtype=torch.int64, device=ON)
    launch(cuda_gaussian.draw_key, (1,), words(np.frombuffer(seed, "<u4"), ON), out, thresholds, len(table), TILE=256)
    assert out.tolist() == [reference.gaussian_value(word, table) for word in stream]


def public(primes: list[int], group: int, groups: int) -> tuple[list[list[int]], int]:
    """The public polynomials of some groups as the kernels make them, and how many words found no spare."""
    bits, extra, lines = 30, 1024, len(primes) * groups
    keys = words(cuda_public.round_keys(b"public seed of thirty-two bytes."), ON)
    table, rows = words(cuda_public.mixing_table(), ON), up([[prime, 0, 0, 0] for prime in primes])
    out, rejected, flags = empty(lines * POSITIONS), empty(lines * 2), torch.zeros(4, dtype=torch.int32, device=ON)
    spares, accepted = empty(lines * extra), empty(lines)
    shape = {"POSITIONS": POSITIONS, "PRIMES": len(primes)}
    launch(cuda_public.candidates, (-(-lines * 2 // 4),), table, keys, rows, out, rejected, group, lines,
           CHUNK=64, CHUNKS=4, BITS=bits, **shape)
    launch(cuda_public.spares, (-(-lines // 4),), table, keys, rows, spares, accepted, group, lines,
           EXTRA=extra, LINES=4, BITS=bits, **shape)
    launch(cuda_public.replace, (2, lines), rows, out, rejected, spares, accepted, flags,
           CHUNK=64, EXTRA=extra, **shape)
    return [down(out)[line * POSITIONS :][:POSITIONS] for line in range(lines)], int(flags[0])


@pytest.mark.parametrize("group", [0, 255, 0x01020304])
def test_public_polynomials_are_those_of_another_library(group: int) -> None:
    # Rejection looks at the prime's size only, so numbers that reject often are as good: one word in 2, 3 and 17 stays.
    primes = [2**30 // 2 + 1, 2**30 // 3, 2**30 * 16 // 17]
    made, missing = public(primes, group, 2)
    assert missing == 0
    for number in range(2):
        for index, prime in enumerate(primes):
            start = bytes([1, index]) + (group + number).to_bytes(4, "little") + bytes(10)
            stream = reference.aes_words(b"public seed of thirty-two bytes.", start, POSITIONS + 1024)
            expected = reference.accepted(stream[:POSITIONS], stream[POSITIONS:], 30, prime)
            assert made[number * len(primes) + index] == expected
            assert max(expected) < prime


def test_words_without_a_replacement_are_counted() -> None:
    prime = 2**30 // 40  # about 3 of 128 candidates and 26 of 1024 spares are below it
    stream = reference.aes_words(b"public seed of thirty-two bytes.", bytes([1]) + bytes(15), POSITIONS + 1024)
    below = [word % 2**30 < prime for word in stream]
    missing = POSITIONS - sum(below[:POSITIONS]) - sum(below[POSITIONS:])
    assert missing > 0
    assert public([prime], 0, 1)[1] == missing


def test_aes_needs_a_key_of_256_bits() -> None:
    # FIPS 197, figure 7
    assert cuda_public.substitution()[[0x00, 0x01, 0x53, 0xFF]].tolist() == [0x63, 0x7C, 0xED, 0x16]
    with pytest.raises(InputError) as caught:
        cuda_public.round_keys(bytes(16))
    assert caught.value.code == "ring.bad-seed"


@pytest.mark.parametrize("bits", [28, 31])
def test_masks_are_negacyclic_products(bits: int) -> None:
    ring, count = largest_ring(DEGREE, bits, 2), 2
    tables, random = ring_tables(ring, ON), np.random.default_rng(bits)
    key = random.integers(-61, 62, DEGREE).astype(np.int32)
    a = [[random.integers(0, prime, POSITIONS).tolist() for prime in ring.primes] for _ in range(count)]
    transformed, out = empty(2 * DEGREE), empty(count * 2 * POSITIONS)
    launch(cuda_ntt.transform_key, (2,), torch.from_numpy(key).to(ON), transformed, tables.forward,
           tables.forward_quotients, tables.primes, N=DEGREE, LOG=5)
    for index, prime in enumerate(ring.primes):
        expected = [x * 2**32 % prime for x in reference.forward([k % prime for k in key.tolist()], prime)]
        assert down(transformed)[index * DEGREE :][:DEGREE] == expected
    used = {0: POSITIONS, 1: 96}  # the second of the two groups is the last, and not full
    launch(cuda_ntt.mask, (4, 2, count), up(a), transformed, out, tables.inverse, tables.inverse_quotients,
           tables.primes, 4, 5, 96, N=DEGREE, LOG=5, LANES=4, POLYS=1, PRIMES=2)
    for group in range(count):
        for index, prime in enumerate(ring.primes):
            made = [reference.product(reference.inverse_unscaled(a[group][index][b::4], prime), key.tolist(), prime)
                    for b in range(4)]
            expected = [made[b][n] for n in range(DEGREE) for b in range(4)][: used[group]]
            assert down(out)[group * 2 * POSITIONS + index * used[group] :][: used[group]] == expected


@pytest.mark.parametrize("bits", [28, 30, 31])
def test_words_on_the_wire_are_one_long_integer(bits: int) -> None:
    random = np.random.default_rng(bits)
    row = [0, 2**bits - 1, *random.integers(0, 2**bits, 158).tolist()]
    out = empty(160 * bits // 32 + 1)
    launch(cuda_wire.write, (2,), up(row), out, 160 * bits // 32, BITS=bits, TILE=128)
    packed = sum(residue << (bits * place) for place, residue in enumerate(row))
    assert out.cpu().numpy().tobytes() == packed.to_bytes(160 * bits // 8, "little") + b"\x5a" * 4


@pytest.mark.parametrize("bits", [28, 30, 31])
def test_totals_grow_by_what_is_on_the_wire(bits: int) -> None:
    ring = largest_ring(DEGREE, bits, 2)
    scheme = reference.Scheme(DEGREE, bits, ring.primes, 4, 100)
    random, tables, used = np.random.default_rng(bits), ring_tables(ring, ON), (POSITIONS, 64)
    groups = [[[prime - 1, *random.integers(0, prime, count - 1).tolist()] for prime in ring.primes] for count in used]
    total = [[[prime - 1, *random.integers(0, prime, count - 1).tolist()] for prime in ring.primes] for count in used]
    groups[1][1][7] = ring.primes[1] + 5  # not below its prime, so worth nothing
    flat = [residue for rows in total for row in rows for residue in row]
    here, flags = up(flat), torch.zeros(4, dtype=torch.int32, device=ON)
    wire = words(np.frombuffer(b"".join(map(scheme.write, groups)), "<u4"), ON)
    shape = {"POSITIONS": POSITIONS, "PRIMES": 2, "BITS": bits, "TILE": 64}
    launch(cuda_wire.accumulate, (2, 2, 2), here, wire, tables.primes, flags, 3, 4, 64, TAKE_BACK=False, **shape)
    assert down(here) == [
        (a + (b if b < prime else 0)) % prime
        for rows, more in zip(total, groups, strict=True)
        for prime, row, other in zip(ring.primes, rows, more, strict=True)
        for a, b in zip(row, other, strict=True)
    ]
    assert flags.tolist() == [1, 0, 0, 0]
    launch(cuda_wire.accumulate, (2, 2, 2), here, wire, tables.primes, flags, 3, 4, 64, TAKE_BACK=True, **shape)
    assert down(here) == flat


@pytest.mark.parametrize(("bits", "primes", "base"), [(28, 2, 2), (30, 7, 2**32 - 1), (31, 7, 300)])
def test_sums_are_read_out_of_residues(bits: int, primes: int, base: int) -> None:
    ring = largest_ring(DEGREE, bits, primes)
    packing = pack(ring, base, 700)
    random = np.random.default_rng(bits)
    values = random.integers(0, base, (packing.slots, POSITIONS), dtype=np.uint64).astype(object)
    values[:, 0], values[:, 1] = 0, base - 1
    noise = random.integers(-700, 701, POSITIONS).astype(object)
    noise[:4] = -700, 700, -700, 700

    def flagged(noise: np.ndarray, messages: np.ndarray) -> tuple[list[int], int]:
        integers = [int(e + packing.step * m) for e, m in zip(noise, messages, strict=True)]
        masks = [random.integers(0, prime, POSITIONS).tolist() for prime in ring.primes]
        total = [[(x + m) % prime for x, m in zip(integers, mask, strict=True)]
                 for prime, mask in zip(ring.primes, masks, strict=True)]
        flags, out = torch.zeros(4, dtype=torch.int32, device=ON), empty(values.size)
        tables, rows = packing_tables(packing, ON), ring_tables(ring, ON).primes
        launch(cuda_open.decode, (1, 1), up(total), up(masks), out, flags, rows, tables.inverses, tables.cofactors,
               tables.multiples, tables.bounds, 0, 0, POSITIONS, values.size, packing.slots, POSITIONS=POSITIONS,
               PRIMES=primes, TILE=128)
        return down(out), int(flags[2])

    messages = sum(values[v] * base**v for v in range(packing.slots))
    assert flagged(noise, messages) == (values.reshape(-1).tolist(), 0)
    noise[5], noise[70] = 701, -701
    messages[90] = base**packing.slots  # one beyond the largest message
    assert flagged(noise, messages)[1] == 3


@pytest.mark.parametrize(("bits", "block"), [(4, 0), (16, 0), (24, 100)])
def test_updates_are_rounded_by_the_rule(bits: int, block: int) -> None:
    random, count, first = np.random.default_rng(bits), 700, 96
    values = (random.standard_normal(count) / 2).astype(np.float32)
    values[:8] = 0, -0.0, 1, -1, 30, -30, 1e-42, -1e-42
    half, fraction = 2 ** (bits - 1) - 1, min(16, 32 - bits)
    scales = (2**fraction * half / random.uniform(0.5, 2, 7 if block else 1)).astype(np.float32)
    seed = bytes(range(32))
    stream = reference.chacha_words(seed, bytes(12), count // 4 + 1)
    draws = [word >> shift & 0xFFFF for word in stream for shift in (0, 16, 32, 48)]
    expected = []
    for place, value in enumerate(values):
        scaled = float(np.float32(value * scales[place // block if block else 0]))  # rounded once, to float32
        whole = int(min(max(scaled, -half * 2**fraction), half * 2**fraction))
        expected.append((whole + half * 2**fraction + (draws[place] >> (16 - fraction))) >> fraction)
    tensor = torch.from_numpy(values).to(ON)
    rounded = RoundedValues(tensor, scales, half << fraction, fraction, Secret(seed), block)
    assert rounded.read(0, count).tolist() == expected
    assert rounded.read(first + 5, 300).tolist() == expected[first + 5 : 300]
    tensor[3] = float("nan")
    with pytest.raises(InputError) as caught:
        rounded.read(0, count)
    assert caught.value.code == "quantize.not-finite"
