"""Bytes in pieces read like bytes in one place."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import sha256
from sealane.core.octets import STRETCH, Pieces, Within, gathered, stretch, stretches, whole

PARTS = st.lists(st.binary(max_size=20), max_size=6)


@given(PARTS, st.data())
def test_every_stretch_is_that_of_the_joined_bytes(parts: list[bytes], data: st.DataObject) -> None:
    joined = b"".join(parts)
    pieces = Pieces([memoryview(part) for part in parts])
    assert len(pieces) == len(joined)
    start = data.draw(st.integers(0, len(joined)))
    stop = data.draw(st.integers(start, len(joined)))
    assert bytes(stretch(pieces, start, stop)) == joined[start:stop]
    within = Within(pieces, start, stop)
    assert whole(within) == joined[start:stop]
    low = data.draw(st.integers(0, len(within)))
    assert bytes(within.read(low, len(within))) == joined[start:stop][low:]


def test_a_stretch_that_lies_in_one_part_is_no_copy() -> None:
    part = bytearray(b"abcdef")
    found = Pieces([b"xy", part]).read(3, 5)
    part[1] = ord("B")
    assert bytes(found) == b"Bc"


@pytest.mark.parametrize("size", [0, 1, STRETCH, 2 * STRETCH + 3])
def test_stretches_are_bounded_and_hash_like_one_run(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    pieces = Pieces([data[: size // 3], data[size // 3 :]])
    assert all(len(part) <= STRETCH for part in stretches(pieces))
    assert whole(pieces) == data
    assert whole(data) is data
    expected = hashlib.sha256(len(data).to_bytes(8, "big") + data).digest()
    assert sha256(pieces) == sha256(data) == expected


def test_short_runs_are_gathered_into_bytes_and_long_ones_stay_in_pieces() -> None:
    assert gathered([memoryview(b"ab"), b"c"]) == b"abc"
    long = gathered([bytes(STRETCH), b"c"])
    assert isinstance(long, Pieces)
    assert len(long) == STRETCH + 1
