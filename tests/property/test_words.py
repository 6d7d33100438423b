"""For any vectors: words are integers modulo 2^w, on the wire and in arithmetic."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sealane.ring.words import WIDTHS, Width, add, from_bytes, subtract, to_bytes

widths = st.sampled_from(WIDTHS)


def pair_of_vectors(width: Width) -> st.SearchStrategy[tuple[Width, list[tuple[int, int]]]]:
    entry = st.integers(0, 2**width - 1)
    return st.tuples(st.just(width), st.lists(st.tuples(entry, entry), max_size=12))


def words(values: list[int], width: Width) -> np.ndarray:
    low = [value % 2**64 for value in values]
    return np.array([low] if width == 64 else [low, [value >> 64 for value in values]], dtype=np.uint64)


def integers(vector: np.ndarray) -> list[int]:
    high = vector[1].tolist() if len(vector) == 2 else [0] * vector.shape[1]
    return [low + (top << 64) for low, top in zip(vector[0].tolist(), high, strict=True)]


@given(widths.flatmap(pair_of_vectors))
def test_add_and_subtract_undo_each_other_and_are_modular(case: tuple[Width, list[tuple[int, int]]]) -> None:
    width, pairs = case
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    vector = words(left, width)
    add(vector, words(right, width), width)
    assert integers(vector) == [(a + b) % 2**width for a, b in pairs]
    subtract(vector, words(right, width), width)
    assert integers(vector) == left
    subtract(vector, words(right, width), width)
    assert integers(vector) == [(a - b) % 2**width for a, b in pairs]


@given(widths.flatmap(pair_of_vectors))
def test_the_wire_keeps_every_bit(case: tuple[Width, list[tuple[int, int]]]) -> None:
    width, pairs = case
    values = [a for a, _ in pairs]
    data = to_bytes(words(values, width), width)
    assert integers(from_bytes(data, width, len(values))) == values
    assert to_bytes(from_bytes(data, width, len(values)), width) == data
