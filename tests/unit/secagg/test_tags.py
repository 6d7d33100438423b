"""Tags of a sum: those of the members add up to the total's, and to no other's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import poly1305

from sealane.core.secret import Secret
from sealane.errors import ProtocolError
from sealane.ring.words import WIDTHS, Width, Words, add, limbs_of, subtract
from sealane.secagg.tags import ENTRIES, PRIME, tagged, untagged

KEY = Secret(bytes(range(32)))


def words(values: Sequence[int], width: Width) -> Words:
    limbs = [[(value % 2**width) >> (64 * limb) & 2**64 - 1 for value in values] for limb in range(limbs_of(width))]
    return np.array(limbs, np.uint64)


def blinds(size: int, seed: int = 1) -> list[int]:
    drawn = [int(one) ** 7 % PRIME for one in np.random.default_rng(seed).integers(2**40, 2**62, size - 1)]
    return [*drawn, -sum(drawn) % PRIME]


def summed(vectors: Sequence[Sequence[int]], width: Width, key: Secret = KEY) -> Words:
    total = words([0] * (len(vectors[0]) + ENTRIES), width)
    for vector, blind in zip(vectors, blinds(len(vectors)), strict=True):
        add(total, tagged(words(vector, width), width, len(vectors), key, blind), width)
    return total


@st.composite
def sums(draw: st.DrawFn) -> tuple[list[list[int]], Width]:
    width, cohort, length = draw(st.sampled_from(WIDTHS)), draw(st.integers(2, 15)), draw(st.integers(1, 9))
    most = 2 ** (width - 1) // cohort - 1
    entries = st.sampled_from([0, 1, -1, most, -most]) | st.integers(-most, most)
    return [draw(st.lists(entries, min_size=length, max_size=length)) for _ in range(cohort)], width


@given(sums())
def test_tags_add_up(drawn: tuple[list[list[int]], Width]) -> None:
    vectors, width = drawn
    opened = untagged(summed(vectors, width), width, len(vectors), KEY)
    assert (opened == words([sum(column) for column in zip(*vectors, strict=True)], width)).all()


@given(sums(), st.data())
def test_a_changed_total_is_refused(drawn: tuple[list[list[int]], Width], data: st.DataObject) -> None:
    vectors, width = drawn
    total = summed(vectors, width)
    at, by = data.draw(st.integers(0, len(vectors[0]) - 1)), data.draw(st.integers(1, 2**width - 1))
    change = [0] * total.shape[1]
    change[at] = by
    data.draw(st.sampled_from([add, subtract]))(total, words(change, width), width)
    with pytest.raises(ProtocolError) as caught:
        untagged(total, width, len(vectors), KEY)
    assert caught.value.code == "sum.total-changed"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_whole_step_of_a_word_is_no_way_around(width: Width) -> None:
    """What a sum modulo a power of two would overlook: changes by large powers of two, alone and in pairs."""
    vectors = [[1, 2, 3], [4, 5, 6], [-7, 8, 9]]
    for bit in range(width):
        for places in ((0,), (0, 1), (1, 2)):
            total, change = summed(vectors, width), [0] * (3 + ENTRIES)
            for place in places:
                change[place] = 2**bit
            add(total, words(change, width), width)
            with pytest.raises(ProtocolError):
                untagged(total, width, 3, KEY)


@pytest.mark.parametrize("width", WIDTHS)
def test_another_key_another_order_or_a_missing_member_is_refused(width: Width) -> None:
    vectors = [[1, 2], [4, 5], [-7, 8]]
    for total, key in ((summed(vectors, width), Secret(bytes(32))), (summed(vectors[:2], width), KEY),
                       (summed(vectors, width)[:, [1, 0, 2, 3, 4, 5]], KEY)):
        with pytest.raises(ProtocolError):
            untagged(total, width, 3, key)


@given(st.lists(st.integers(-(2**60), 2**60), min_size=1, max_size=9), st.binary(min_size=32, max_size=32),
       st.integers(0, PRIME - 1))
def test_a_tag_is_poly1305_of_what_was_made_non_negative_and_a_blind(values: list[int], key: bytes, blind: int) -> None:
    data = b"".join((value + 2**63 // 3).to_bytes(8, "little") for value in values)
    wanted = (poly1305(key[:16], data + bytes(-len(data) % 16)) + blind) % PRIME
    assert tag_of(tagged(words(values, 64), 64, 3, Secret(key), blind)) == wanted


def tag_of(vector: Words) -> int:
    return sum(digit << (33 * place) for place, digit in enumerate(vector[0, -ENTRIES:].tolist()))


@pytest.mark.parametrize("r", [0, 4, 1 << 64])
def test_keys_of_one_bit_or_none(r: int) -> None:
    key = Secret(r.to_bytes(16, "little") + bytes(16))
    vectors = [[1, 2, 3], [4, -5, 6], [7, 8, 9]]
    assert (untagged(summed(vectors, 64, key), 64, 3, key) == words([12, 5, 18], 64)).all()


def test_opened_tags_tell_nothing_of_how_a_total_is_split() -> None:
    """Over all blinds: whatever two members hold, the digits' sums that all see lie as those of any other split.

    Without blinds the sums are functions of both vectors, fixed by the key; that is the control.
    """
    def seen(split: tuple[int, int], blind: int) -> tuple[int, ...]:
        total = words([0] * (1 + ENTRIES), 64)
        for value, one in zip(split, (blind, -blind % PRIME), strict=True):
            add(total, tagged(words([value], 64), 64, 3, KEY, one), 64)
        return tuple(total[0, -ENTRIES:].tolist())

    even, odd = (500, 500), (137, 863)
    assert seen(even, 0) != seen(odd, 0)
    shift = (tag_of(tagged(words([500], 64), 64, 3, KEY, 0)) - tag_of(tagged(words([137], 64), 64, 3, KEY, 0))) % PRIME
    for blind in blinds(200, seed=2):  # to each of one split belongs one of the other, as likely, with the same view
        assert seen(even, blind) == seen(odd, (blind + shift) % PRIME)


def test_poly1305_of_the_standard() -> None:
    """RFC 8439, section 2.5.2, without the addition of s."""
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = bytes.fromhex("a8061dc1305136c6c22b8baf0c0127a9")
    found = poly1305(key[:16], b"Cryptographic Forum Research Group") + int.from_bytes(key[16:], "little")
    assert (found % 2**128).to_bytes(16, "little") == tag
