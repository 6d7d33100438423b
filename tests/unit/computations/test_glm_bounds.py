"""No legal row crosses a declared bound, whatever the coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.computations.glm.families import FAMILIES, Reach

reals = st.floats(-30, 30)


@pytest.mark.parametrize("name", ["gaussian", "binomial", "poisson"])
@settings(max_examples=150, deadline=None)
@given(low=reals, high=reals, top=st.floats(0.01, 5000), shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)),
                                                                        min_size=1, max_size=20))
def test_caps_hold_for_every_row_in_range(name, low, high, top, shares):
    family = FAMILIES[name]
    low, high = min(low, high), max(low, high)
    ends = (0.0, 1.0) if name == "binomial" else (0.0, top)
    y = np.array([ends[0] + share * (ends[1] - ends[0]) for share, _ in shares])
    y = np.round(y) if name == "binomial" else y
    predictor = np.array([low + share * (high - low) for _, share in shares])
    reach = Reach(len(y), ends, (low, high), 64.0 * len(y) * max(top, 1.0))
    if not family.within(predictor, reach.mean_total):
        return
    own = family.contribute(y, predictor)
    caps = family.caps(reach)
    slack = 1 + 1e-9
    assert own.weights.sum() <= caps.weights * slack
    assert np.abs(own.residuals).sum() <= caps.residuals * slack + 1e-9
    assert -1e-6 <= own.deviance <= caps.deviance * slack + 1e-9
    assert abs(family.saturated(y)) <= caps.deviance * slack


def test_a_runaway_mean_is_seen_before_it_is_summed():
    poisson = FAMILIES["poisson"]
    assert not poisson.within(np.array([0.0, 900.0]), 1e12)
    assert poisson.within(np.array([0.0, 1.0]), 4.0)
    assert not poisson.within(np.array([0.0, 1.0]), 3.0)
