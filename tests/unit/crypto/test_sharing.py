"""Packed sharing against interpolation in Python integers; privacy by exhausting a small field."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.core.secret import Secret
from sealane.crypto.sharing import PRIME, Sharing, lagrange
from sealane.errors import InputError, ProtocolError, RefusedError


def seed_of(number: int) -> Secret:
    return Secret(number.to_bytes(32, "little"))


def interpolate(points: Sequence[tuple[int, int]], at: int, prime: int) -> int:
    """Lagrange's formula over the rationals, brought into the field at the very end."""
    total = 0
    for i, (x, y) in enumerate(points):
        factor = Fraction(1)
        for j, (other, _) in enumerate(points):
            if i != j:
                factor *= Fraction(at - other, x - other)
        total += y * factor.numerator * pow(factor.denominator, -1, prime)
    return total % prime


def expected_shares(sharing: Sharing, values: Sequence[int], seed: Secret) -> list[list[int]]:
    """What the docstring says, step by step: the stream, the points, the polynomials."""
    stream = Cipher(algorithms.ChaCha20(seed.reveal(), bytes(16)), mode=None).encryptor()
    words = iter(np.frombuffer(stream.update(bytes(1 << 16)), dtype="<u2").tolist())
    uniform = (word for word in words if word < PRIME)
    padded = [*values, *[0] * (-len(values) % sharing.packed)]
    rows: list[list[int]] = [[] for _ in range(sharing.parties)]
    for start in range(0, len(padded), sharing.packed):
        known = [*padded[start : start + sharing.packed], *itertools.islice(uniform, sharing.privacy)]
        points = [(-1 - place, value % PRIME) for place, value in enumerate(known)]
        for party in range(sharing.parties):
            rows[party].append(interpolate(points, party + 1, PRIME))
    return rows


def sharings(most: int = 6100) -> st.SearchStrategy[Sharing]:
    return st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(0, 4)).map(
        lambda drawn: Sharing(sum(drawn), drawn[0], drawn[1], most))


@settings(max_examples=25, deadline=None)
@given(sharings(), st.lists(st.integers(-61, 61), max_size=12), st.integers(0, 2**64))
def test_shares_are_those_of_a_second_writing(sharing: Sharing, values: list[int], seed: int) -> None:
    shares = sharing.share(np.array(values, dtype=np.int32), seed_of(seed))
    assert shares.dtype == np.uint16
    assert shares.tolist() == expected_shares(sharing, values, seed_of(seed))


def test_a_whole_key_is_shared_by_a_formula_done_by_hand() -> None:
    """f(-1) = s, f(-2) = a, f(-3) = b: f(1) = 6 s - 8 a + 3 b, by the weights of points -1, -2, -3 at 1."""
    stream = Cipher(algorithms.ChaCha20(bytes(range(32)), bytes(16)), mode=None).encryptor().update(bytes(40_000))
    words = np.frombuffer(stream, dtype="<u2").tolist()
    uniform = [word for word in words if word < PRIME]
    assert any(word >= PRIME for word in words[:16384])  # or the rejection would go unseen
    secrets = [(7 * i) % 489 - 244 for i in range(8192)]
    expected = [(6 * s - 8 * a + 3 * b) % PRIME
                for s, a, b in zip(secrets, uniform[0:16384:2], uniform[1:16384:2], strict=True)]
    shares = Sharing(4, 2, 1, 244).share(np.array(secrets, dtype=np.int32), Secret(bytes(range(32))))
    assert shares[0].tolist() == expected


def test_the_stream_goes_on_where_many_words_are_rejected() -> None:
    """In a field of 40009 elements two words of five are."""
    stream = Cipher(algorithms.ChaCha20(bytes(32), bytes(16)), mode=None).encryptor().update(bytes(8000))
    uniform = [word for word in np.frombuffer(stream, dtype="<u2").tolist() if word < 40009][:2000]
    shares = Sharing(2, 1, 1, 5, 40009).share(np.zeros(2000, dtype=np.int32), Secret(bytes(32)))
    assert shares[0].tolist() == [-2 * word % 40009 for word in uniform]  # f(-1) = 0 and f(-2) = r: f(1) = -2 r


@settings(max_examples=40, deadline=None)
@given(st.data(), sharings(), st.integers(1, 5), st.integers(0, 40))
def test_any_enough_shares_of_a_sum_recover_it(
    data: st.DataObject, sharing: Sharing, addends: int, length: int
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    values = rng.integers(-61, 62, (addends, length)).astype(np.int32)
    shares = [sharing.share(row, seed_of(node)) for node, row in enumerate(values)]
    points = data.draw(st.lists(st.integers(1, sharing.parties), min_size=sharing.threshold,
                                max_size=sharing.parties, unique=True))
    summed = {point: sharing.add(share[point - 1] for share in shares) for point in points}
    assert sharing.recover(summed, length).tolist() == [sum(column) for column in zip(*values.tolist(), strict=True)]
    first = sharing.add(share[0] for share in shares)
    assert first.tolist() == [sum(column) % PRIME for column in zip(*(s[0].tolist() for s in shares), strict=True)]


@pytest.mark.parametrize(("parties", "privacy", "packed"), [(4, 2, 1), (10, 6, 2), (50, 33, 15), (100, 66, 30)])
def test_a_whole_key_at_the_sizes_of_the_table(parties: int, privacy: int, packed: int) -> None:
    sharing = Sharing(parties, privacy, packed, 61 * parties)
    rng = np.random.default_rng(parties)
    key = rng.integers(-61, 62, 8192).astype(np.int32)
    shares = sharing.share(key, seed_of(parties))
    assert shares.shape == (parties, -(-8192 // packed))
    points = rng.permutation(parties)[: sharing.threshold] + 1
    assert np.array_equal(sharing.recover({int(p): shares[p - 1] for p in points}, 8192), key)
    assert np.array_equal(sharing.recover({p + 1: share for p, share in enumerate(shares)}, 8192), key)
    last = [(int(p), int(shares[p - 1, -1])) for p in points]
    assert interpolate(last, -1, PRIME) == int(key[(8192 - 1) // packed * packed]) % PRIME


def test_the_field_holds_the_largest_sum_and_no_larger() -> None:
    sharing = Sharing(3, 1, 1)
    for edge in (32760, -32760):
        shares = sharing.share(np.array([edge], dtype=np.int32), seed_of(1))
        assert sharing.recover({1: shares[0], 3: shares[2]}, 1).tolist() == [edge]
    with pytest.raises(RefusedError, match=r"sharing\.sum-too-large"):
        Sharing(3, 1, 1, 32761)
    with pytest.raises(RefusedError, match=r"sharing\.sum-too-large"):
        Sharing(3, 1, 1, 0)
    with pytest.raises(InputError, match=r"sharing\.out-of-range"):
        Sharing(3, 1, 1, 61).share(np.array([-62], dtype=np.int32), seed_of(1))
    for array in (np.zeros((2, 2), dtype=np.int32), np.zeros(2)):
        with pytest.raises(InputError, match=r"sharing\.out-of-range"):
            Sharing(3, 1, 1, 61).share(array, seed_of(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(("parties", "privacy", "packed"), [(4, 2, 1), (4, 1, 2), (5, 2, 2), (4, 3, 1)])
def test_privacy_is_perfect_and_ends_where_it_says(parties: int, privacy: int, packed: int) -> None:
    """Over a field of 11 every choice of the uniform elements is tried, for every secret."""
    prime = 11
    matrix = lagrange(range(-1, -privacy - packed - 1, -1), range(1, parties + 1), prime).astype(np.int64)
    choices = np.array(list(itertools.product(range(prime), repeat=privacy)))

    def seen(secret: tuple[int, ...], holders: tuple[int, ...]) -> Counter[tuple[int, ...]]:
        known = np.hstack([np.tile(secret, (len(choices), 1)), choices])
        return Counter(map(tuple, (known @ matrix % prime)[:, list(holders)].tolist()))

    secrets = list(itertools.product((0, 1, 5, 10), repeat=packed))
    for holders in itertools.combinations(range(parties), privacy):
        views = [seen(secret, holders) for secret in secrets]
        assert all(view == views[0] for view in views)
        assert set(views[0].values()) == {1}
        assert len(views[0]) == prime**privacy
    one_more = tuple(range(privacy + 1))
    assert seen(secrets[0], one_more) != seen(secrets[1], one_more)


@pytest.mark.parametrize(("parties", "privacy", "packed"), [(4, 2, 1), (10, 6, 2), (100, 66, 30)])
def test_no_holders_up_to_privacy_learn_anything_in_the_real_field(parties: int, privacy: int, packed: int) -> None:
    """Shares of t holders are a bijection of the t uniform elements, whatever the secrets: full rank in the field."""
    matrix = lagrange(range(-1, -privacy - packed - 1, -1), range(1, parties + 1), PRIME).astype(np.int64)
    chosen = itertools.combinations(range(parties), privacy) if parties <= 10 else [
        random.Random(k).sample(range(parties), privacy) for k in range(3)]
    for holders in chosen:
        rows = [[int(matrix[packed + i, j]) for j in holders] for i in range(privacy)]
        for column in range(privacy):
            pivot = next((r for r in range(column, privacy) if rows[r][column]), None)
            assert pivot is not None
            rows[column], rows[pivot] = rows[pivot], rows[column]
            inverse = pow(rows[column][column], -1, PRIME)
            for r in range(column + 1, privacy):
                factor = rows[r][column] * inverse % PRIME
                rows[r] = [(a - factor * b) % PRIME for a, b in zip(rows[r], rows[column], strict=True)]


def test_small_fields_are_shared_in_without_bias() -> None:
    sharing = Sharing(3, 1, 1, 5, 11)
    shares = sharing.share(np.zeros(110_000, dtype=np.int32), seed_of(9))
    counts = np.bincount(shares[1], minlength=11)
    assert counts.size == 11
    assert np.abs(counts - 10_000).max() < 500  # five deviations of a binomial count
    assert not sharing.recover({1: shares[0], 3: shares[2]}, 110_000).any()


def test_seeds_decide_and_must_be_whole() -> None:
    sharing, values = Sharing(4, 2, 1), np.arange(5, dtype=np.int32)
    assert np.array_equal(sharing.share(values, seed_of(1)), sharing.share(values, seed_of(1)))
    assert not np.array_equal(sharing.share(values, seed_of(1)), sharing.share(values, seed_of(2)))
    with pytest.raises(InputError, match=r"sharing\.bad-seed"):
        sharing.share(values, Secret(bytes(16)))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, PRIME - 1))
def test_with_a_share_to_spare_any_wrong_share_is_seen(
    data: st.DataObject, privacy: int, packed: int, spare: int, shift: int
) -> None:
    sharing = Sharing(privacy + packed + spare, privacy, packed)
    values = np.arange(-4, 5, dtype=np.int32)
    shares = dict(enumerate(sharing.share(values, seed_of(privacy)), start=1))
    liar = data.draw(st.sampled_from(sorted(shares)))
    place = data.draw(st.integers(0, shares[liar].size - 1))
    forged = shares[liar].copy()
    forged[place] = (int(forged[place]) + shift) % PRIME
    with pytest.raises(ProtocolError, match=r"rlwe\.shares-inconsistent"):
        sharing.recover({**shares, liar: forged}, values.size)
    assert sharing.recover(shares, values.size).tolist() == values.tolist()


def test_without_a_share_to_spare_the_bound_and_the_padding_still_speak() -> None:
    sharing = Sharing(4, 2, 2, 244)
    shares = sharing.share(np.array([1, 2, 3], dtype=np.int32), seed_of(3))
    forged = shares[1].copy()
    forged[0] = (int(forged[0]) + 10_000) % PRIME  # a lie of a few units would pass here, and show as noise on opening
    with pytest.raises(ProtocolError, match=r"rlwe\.shares-inconsistent"):
        sharing.recover({1: shares[0], 2: forged, 3: shares[2], 4: shares[3]}, 3)
    padded = sharing.share(np.array([1, 2, 3, 4], dtype=np.int32), seed_of(3))
    with pytest.raises(ProtocolError, match=r"rlwe\.shares-inconsistent"):
        sharing.recover(dict(enumerate(padded, start=1)), 3)


def test_too_few_shares_and_strangers_recover_nothing() -> None:
    sharing = Sharing(4, 2, 1)
    shares = dict(enumerate(sharing.share(np.zeros(8, dtype=np.int32), seed_of(1)), start=1))
    with pytest.raises(ProtocolError, match=r"rlwe\.shares-missing"):
        sharing.recover({1: shares[1], 2: shares[2]}, 8)
    with pytest.raises(ProtocolError, match=r"rlwe\.shares-missing"):
        sharing.recover({}, 8)
    for stranger in (0, 5, -1):
        with pytest.raises(ProtocolError, match=r"rlwe\.share-outsider"):
            sharing.recover({**shares, stranger: shares[1]}, 8)


def test_shares_of_others_are_read_only_in_one_form() -> None:
    sharing = Sharing(5, 2, 3)
    share = sharing.share(np.arange(8, dtype=np.int32), seed_of(1))[2]
    data = sharing.write_share(share)
    assert data == b"".join(int(element).to_bytes(2, "little") for element in share)
    assert len(data) == sharing.share_bytes(8) == 6
    assert np.array_equal(sharing.read_share(data, 8), share)
    assert sharing.read_share((PRIME - 1).to_bytes(2, "little") * 3, 8).tolist() == [PRIME - 1] * 3
    beyond = bytes(4) + PRIME.to_bytes(2, "little")
    for wrong in (b"", data[:-1], data + b"\0", data + data[:2], beyond, b"\xff" * 6):
        with pytest.raises(ProtocolError, match=r"rlwe\.share-malformed"):
            sharing.read_share(wrong, 8)
    others = dict.fromkeys(range(1, 5), share)
    for wrong_share in (share[:2], share.astype(np.int64), np.full(3, PRIME, dtype=np.uint16), share.reshape(1, 3)):
        with pytest.raises(ProtocolError, match=r"rlwe\.share-malformed"):
            sharing.recover({**others, 2: wrong_share, 5: share}, 8)  # type: ignore[dict-item]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=12), st.integers(0, 12))
def test_any_bytes_are_a_share_or_a_protocol_error(data: bytes, length: int) -> None:
    sharing = Sharing(5, 2, 3)
    try:
        share = sharing.read_share(data, length)
    except ProtocolError:
        assert len(data) != sharing.share_bytes(length) or max(np.frombuffer(data, dtype="<u2")) >= PRIME
    else:
        assert sharing.write_share(share) == data


@pytest.mark.parametrize(("parties", "privacy", "packed"), [(3, 3, 1), (3, 0, 1), (3, 1, 0), (3, 2, 2), (2, -1, 2)])
def test_thresholds_that_keep_or_recover_nothing_are_refused(parties: int, privacy: int, packed: int) -> None:
    with pytest.raises(RefusedError, match=r"sharing\.bad-threshold"):
        Sharing(parties, privacy, packed)


def test_every_point_must_be_another_element_of_the_field() -> None:
    assert Sharing(7, 2, 1, 5, 11).share(np.zeros(1, dtype=np.int32), seed_of(1)).shape == (7, 1)
    for parties, prime in ((8, 11), (65519, PRIME), (4, 65537)):
        with pytest.raises(RefusedError, match=r"sharing\.too-many-parties"):
            Sharing(parties, 2, 1, 5, prime)
