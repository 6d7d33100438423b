from __future__ import annotations

import numpy as np
import pytest

from sealane.computations.cholesky import factor


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_solves_and_inverts_like_lapack(size):
    random = np.random.default_rng(size)
    x = random.normal(size=(3 * size + 2, size)) * 10.0 ** random.integers(-6, 6, size)
    matrix = x.T @ x
    right = random.normal(size=size)
    factored = factor(matrix)
    scale = np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))
    np.testing.assert_allclose(factored.inverse() * scale, np.linalg.inv(matrix / scale), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(factored.solve(right), factored.inverse() @ right, rtol=1e-9)
    np.testing.assert_array_equal(factored.inverse(), factored.inverse().T)


def test_pivots_are_what_the_columns_before_leave_unexplained():
    random = np.random.default_rng(4)
    x = random.normal(size=(50, 3))
    x[:, 2] += 2 * x[:, 0] - x[:, 1]
    fitted = x[:, :2] @ np.linalg.lstsq(x[:, :2], x[:, 2], rcond=None)[0]
    unexplained = ((x[:, 2] - fitted) ** 2).sum() / (x[:, 2] ** 2).sum()
    assert factor(x.T @ x).pivots[2] == pytest.approx(unexplained, rel=1e-9)


@pytest.mark.parametrize("matrix", [
    [[1.0, 2.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], [[-1.0]], [[1.0, np.nan], [np.nan, 1.0]],
])
def test_what_is_not_positive_definite_has_no_factor(matrix):
    assert factor(np.array(matrix)) is None
