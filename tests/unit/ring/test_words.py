"""Words against Python integers modulo 2^w, at the carries."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.errors import ProtocolError
from sealane.ring.words import (
    WIDTHS,
    Width,
    add,
    from_bytes,
    limbs_in,
    limbs_of,
    reduce,
    subtract,
    to_bytes,
    wire_bytes,
)


def words(values: list[int], width: int) -> np.ndarray:
    low = [value % 2**64 for value in values]
    return np.array([low] if width == 64 else [low, [value >> 64 for value in values]], dtype=np.uint64)


def integers(vector: np.ndarray) -> list[int]:
    high = vector[1].tolist() if len(vector) == 2 else [0] * vector.shape[1]
    return [low + (top << 64) for low, top in zip(vector[0].tolist(), high, strict=True)]


def corners(width: int) -> list[int]:
    top = 2**width
    return sorted({value % top for bit in (0, 1, 31, 32, 33, 63, 64, 65, width - 1) for value in
                   (2**bit - 1, 2**bit, 2**bit + 1, top - 2**bit, top - 2**bit - 1)})


@pytest.mark.parametrize("width", WIDTHS)
def test_addition_and_subtraction_are_those_of_integers(width: Width) -> None:
    values = corners(width)
    left = [a for a in values for _ in values]
    right = values * len(values)
    total, difference = words(left, width), words(left, width)
    add(total, words(right, width), width)
    subtract(difference, words(right, width), width)
    assert integers(total) == [(a + b) % 2**width for a, b in zip(left, right, strict=True)]
    assert integers(difference) == [(a - b) % 2**width for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_other_vector_is_left_alone(width: Width) -> None:
    other = words(corners(width), width)
    before = other.copy()
    add(words(corners(width)[::-1], width), other, width)
    subtract(words(corners(width)[::-1], width), other, width)
    assert np.array_equal(other, before)


@pytest.mark.parametrize("width", WIDTHS)
def test_bytes_are_little_endian_limb_after_limb(width: Width) -> None:
    values = corners(width)
    data = to_bytes(words(values, width), width)
    low = b"".join((value % 2**64).to_bytes(8, "little") for value in values)
    high = b"".join((value >> 64).to_bytes((width - 64) // 8, "little") for value in values) if width > 64 else b""
    assert data == low + high
    assert len(data) == wire_bytes(width, len(values)) == len(values) * width // 8
    back = from_bytes(data, width, len(values))
    assert integers(back) == values
    back[:] = 0  # a copy, not a view of the wire


@pytest.mark.parametrize("width", WIDTHS)
def test_what_lies_in_bytes_is_added_without_a_copy(width: Width) -> None:
    values = corners(width)
    data = to_bytes(words(values, width), width)
    total = words(values[::-1], width)
    limbs = limbs_in(memoryview(data), width, len(values))
    add(total, limbs, width)
    assert not any(limb.flags.owndata for limb in limbs)
    assert integers(total) == [(a + b) % 2**width for a, b in zip(values, values[::-1], strict=True)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("off", [-1, 1, 8])
def test_a_vector_of_another_length_is_refused(width: Width, off: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        from_bytes(bytes(wire_bytes(width, 3) + off), width, 3)
    assert caught.value.code == "words.wrong-length"
    assert str(wire_bytes(width, 3)) in str(caught.value.expected)


def test_reduction_clears_what_lies_above_the_width() -> None:
    full = 2**64 - 1
    assert reduce(np.array([[full], [full]], dtype=np.uint64), 96).tolist() == [[full], [2**32 - 1]]
    assert reduce(np.array([[full], [full]], dtype=np.uint64), 128).tolist() == [[full], [full]]
    assert [limbs_of(width) for width in WIDTHS] == [1, 2, 2]
