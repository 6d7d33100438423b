"""Candidate models tried side by side: each at its own maximum, and those without one left untried."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from sealane.computations.newton import Point
from sealane.computations.scorecard.candidates import Model, try_each
from sealane.computations.scorecard.likelihood import Likelihood, _At

ROWS = 600
rng = np.random.default_rng(5)
X = rng.normal(0, 1, (ROWS, 3))
X = np.column_stack([X, X[:, 0] + X[:, 1]])
Y = (rng.random(ROWS) < 1 / (1 + np.exp(0.5 - X[:, 0] - 0.5 * X[:, 2]))).astype(float)
REACH = np.abs(X).max(axis=0).tolist()


class Alone:
    """A cohort of one, whose sums are its own."""

    size = 1
    minimum_count = 10

    async def sum(self, terms: Mapping[str, Any]) -> dict[str, Any]:
        assert all(np.abs(term.values).max() <= term.bound for term in terms.values())
        return {name: term.values for name, term in terms.items()}

    async def agree(self, values: Any) -> Any:
        return values


@pytest.fixture
def cohort() -> Any:
    return Alone()


def test_each_candidate_is_at_its_maximum(cohort: Any) -> None:
    def fit(columns: tuple[int, ...]) -> Any:
        return sm.Logit(Y, sm.add_constant(X[:, columns])).fit(disp=False, tol=1e-12)

    async def run() -> Any:
        likelihood = Likelihood(X, Y, list("abcd"), REACH, ROWS)
        start = await likelihood.fit(cohort, (0, 1), np.zeros(3), 25, 1e-10)
        beta = np.array([*start.beta, 0.0, 0.0])
        model = Model((0, 1), beta, start.deviance)
        return await try_each(cohort, likelihood, model, [(0, 1, 2), (0,), (1,), (2,), (0, 1, 3), (0, 2, 3)])

    found = asyncio.run(run())
    assert found[4] is None  # the last column is the sum of the first two
    for one, columns in zip(found, [(0, 1, 2), (0,), (1,), (2,), None, (0, 2, 3)], strict=True):
        if columns is not None:
            expected = fit(columns)
            np.testing.assert_allclose(one.deviance, -2 * expected.llf, rtol=1e-9)
            np.testing.assert_allclose(one.beta[[0, *(k + 1 for k in columns)]], expected.params, atol=1e-4)
            assert one.beta[[k + 1 for k in range(4) if k not in columns]].tolist() == [0.0] * (4 - len(columns))


def test_a_candidate_without_a_maximum_is_not_tried(cohort: Any) -> None:
    async def run() -> Any:
        x = np.column_stack([X[:, 0], 3.0 * (Y - 0.5)])
        likelihood = Likelihood(x, Y, ["a", "outcome"], [REACH[0], 1.5], ROWS)
        start = await likelihood.fit(cohort, (0,), np.zeros(2), 25, 1e-10)
        model = Model((0,), np.array([*start.beta, 0.0]), start.deviance)
        return await try_each(cohort, likelihood, model, [(0, 1)])

    assert asyncio.run(run()) == [None]


def test_a_step_too_far_is_a_runaway_and_opens_nothing(cohort: Any) -> None:
    async def run() -> Point:
        return await _At(cohort, X[:, :2], Y, REACH[:2], ROWS)(np.array([1e30, 0.0]))

    assert asyncio.run(run()).runaway
