"""Gradients against derivatives of the loss, and public bounds that hold for every row."""

from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.trees.fixed_point import above, grid
from sealane.computations.trees.objectives import Loss, Span
from sealane.computations.trees.reach import beyond, bound_of

RNG = np.random.default_rng(0)
SCORES = {
    "binary": (RNG.uniform(-4, 4, (1, 500)), RNG.integers(0, 2, 500)),
    "regression": (RNG.uniform(-4, 4, (1, 500)), RNG.uniform(-9, 9, 500)),
    "quantile": (RNG.uniform(-4, 4, (1, 500)), RNG.uniform(-9, 9, 500)),
    "regression_l1": (RNG.uniform(-4, 4, (1, 500)), RNG.uniform(-9, 9, 500)),
    "poisson": (RNG.uniform(-4, 4, (1, 500)), RNG.integers(0, 9, 500)),
    "multiclass": (RNG.uniform(-4, 4, (4, 500)), RNG.integers(0, 4, 500)),
}


def loss_of(objective, positive=1.0):
    low = 0.0 if objective in ("binary", "poisson", "multiclass") else -9.0
    return Loss(objective, 4 if objective == "multiclass" else 1, low, 9.0, positive)


@pytest.mark.parametrize("objective", sorted(SCORES))
def test_the_gradient_is_the_derivative_of_the_loss(objective):
    score, outcome = SCORES[objective]
    loss, step = loss_of(objective), 1e-6
    first, _ = loss.gradients(score, outcome.astype(np.float32), np.ones(500))
    for place in range(len(score)):
        moved = [score.copy(), score.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        high, low = (loss.losses(one, outcome.astype(np.float32)) for one in moved)
        slope = (high - low) / (2 * step) * (0.5 if objective == "regression" else 1.0)
        assert first[place] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("objective", sorted(SCORES))
@pytest.mark.parametrize("positive", [0.2, 1.0, 30.0])
def test_no_row_crosses_the_public_bounds(objective, positive):
    score, outcome = SCORES[objective]
    loss = loss_of(objective, positive)
    span = Span((-4.0,) * len(score), (4.0,) * len(score))
    first, second = loss.gradients(score, outcome.astype(np.float32), np.ones(500))
    largest = loss.bounds(span)
    assert np.abs(first).max() <= largest[0]
    assert 0 <= second.min() <= second.max() <= largest[1]
    assert np.abs(loss.losses(score, outcome.astype(np.float32))).max() <= loss.largest_loss(span)


def test_a_span_is_tightened_to_the_first_level_that_no_row_is_above():
    span = Span((0.0,), (64.0,))
    levels = span.levels()
    assert (levels[0], levels[-1], len(levels)) == (0.0, 64.0, 65)
    above_each = [3 if level < 10.5 else 0 for level in levels]
    assert span.lowered(above_each) == Span((0.0,), (11.0,))
    assert span.widened(0, [-1.0, 2.5]) == Span((-1.0,), (66.5,))
    assert span.lowered([1] * 65) == span


@pytest.mark.parametrize(("rows", "largest", "cohort"), [(200_000, 1.0, 4), (7, 3.3, 3), (1 << 30, 1e9, 15)])
def test_no_total_on_a_grid_leaves_64_bits(rows, largest, cohort):
    found = grid(rows, largest, cohort)
    assert rows * largest * found.scale <= found.bound
    assert cohort * found.bound < 2**62
    assert np.log2(found.scale) % 1 == 0
    assert 8 * rows * largest * found.scale >= found.bound  # and hardly anything is left unused
    values = np.array([largest * rows * 0.99, -1.0, 1 / 3])
    assert found.values(found.steps(values)) == pytest.approx(values, abs=0.5 / found.scale)


@pytest.mark.parametrize("largest", [1.0, 1e12, 1e36])
def test_a_fine_sum_is_exact_whatever_the_grid(largest):
    found = grid(100_000, largest, 4)
    nodes = [np.array([3.5, 1e-3 / 3, largest, -largest / 7]) * scale for scale in (1.0, 0.1, 77.0)]
    terms = [found.fine_term(values) for values in nodes]
    assert all(np.abs(term.values).max() <= term.bound for term in terms)
    assert all(term.kind == "count" for term in terms)
    total = found.fine_values(sum(term.values for term in terms))
    assert total == pytest.approx(sum(nodes), rel=1e-14, abs=1e-45 * largest)


def test_a_reach_is_a_bound_at_most_four_times_the_farthest_row():
    for farthest in (5.0, 1e-6, 99.9):
        own = [np.array([farthest]), np.array([farthest / 50, 0.0]), np.zeros(0)]
        terms = [beyond(values, 100.0) for values in own]
        assert all(set(term.values.tolist()) <= {0, 1} for term in terms)
        found = bound_of(sum(term.values for term in terms), 100.0)
        assert farthest <= found <= max(4 * farthest, 100.0 / 4**64)
    assert bound_of(beyond(np.array([100.0]), 100.0).values, 100.0) == 100.0
    assert bound_of(beyond(np.zeros(3), 0.0).values, 0.0) == 0.0


def test_an_objective_s_limits_follow_the_reach_but_leave_the_contract_s_never():
    loss = loss_of("regression").within(3.0, 4.0)
    assert (loss.low, loss.high) == pytest.approx((-1.0, 7.0))
    assert loss_of("regression").within(3.0, 100.0).low == -9.0


def test_powers_of_two_above():
    assert [above(value) for value in (1.0, 1.01, 0.5, 3.0, 1e6)] == [1.0, 2.0, 0.5, 4.0, 2.0**20]
