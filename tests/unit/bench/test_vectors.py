from __future__ import annotations

import math

import numpy as np
import pytest
from expected_error import raises

from sealane.bench.asked import CLIP, Asked
from sealane.bench.vectors import exact_sum, seed_of, vector
from sealane.errors import InputError


def test_vectors_are_normal_cut_and_the_same_every_time() -> None:
    values = vector(0, 300_000)
    assert values.dtype == np.float32
    assert np.abs(values).max() <= np.float32(CLIP)
    assert values.std() == pytest.approx(0.01, rel=0.01)
    assert abs(values.mean()) < 5 * 0.01 / math.sqrt(300_000)
    # A normal value is within one deviation in 68.27 % of cases.
    assert (np.abs(values) < 0.01).mean() == pytest.approx(0.6827, abs=0.005)
    assert (vector(0, 300_000) == values).all()
    assert (vector(0, 1000) != vector(1, 1000)).any()


def test_a_shorter_vector_of_whole_chunks_begins_a_longer_one() -> None:
    assert (vector(2, 1 << 18) == vector(2, (1 << 18) + 5)[: 1 << 18]).all()


def test_the_sum_repeats_parts_for_a_larger_cohort() -> None:
    parts = [np.array([1.0, 2.0], dtype=np.float32), np.array([10.0, 20.0], dtype=np.float32)]
    assert exact_sum(parts, 5).tolist() == [23.0, 46.0]
    assert seed_of("a", 1) != seed_of("a", 2)


@pytest.mark.parametrize("field", [
    {"length": 0}, {"length": (1 << 28) + 1}, {"cohort": 2}, {"cohort": 1001}, {"bits": 3}, {"bits": 25},
    {"threads": 0}, {"rounds": 0},
])
def test_what_cannot_be_measured_is_refused(field: dict[str, int]) -> None:
    with raises("bench.out-of-range", InputError):
        Asked(**field)


def test_what_is_asked_survives_the_way_to_a_child() -> None:
    asked = Asked("masking", "cpu", 77, 5, 8, 2, 3)
    assert Asked.of(asked.to_dict()) == asked
