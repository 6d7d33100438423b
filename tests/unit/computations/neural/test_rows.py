"""Which rows validate: drawn anew at every fraction and for every set of rows, and alike where a run begins again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sealane.computations.neural.rows import Own, private_draws, split_rows

ROWS = 20_000


def validation(fraction: float, rows: int = ROWS) -> NDArray[np.bool_]:
    rng = np.random.default_rng(3)
    outcome, x = rng.normal(size=(2, ROWS))
    own = Own({"x": x[:rows]}, {})
    return split_rows(own, outcome[:rows], "drop", fraction, private_draws(1, own, outcome[:rows])).validation


def test_no_sample_lies_within_another() -> None:
    sample = validation(0.3)
    assert sample.mean() == pytest.approx(0.3, abs=1e-3)
    assert (sample & validation(0.3)).mean() == pytest.approx(0.3, abs=1e-3)
    assert (sample & validation(0.30005)).mean() == pytest.approx(0.09, abs=0.01)
    assert (sample[:-1] & validation(0.3, ROWS - 1)).mean() == pytest.approx(0.09, abs=0.01)
