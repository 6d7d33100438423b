"""How the rows are spread over institutions changes nothing that is released."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealane.computations.glm.fit import GlmFit
from sealane.computations.statistics.describe import Describe
from sealane.governance.contract import infer_contract

N = 120
random = np.random.default_rng(99)
TABLE = pd.DataFrame({"x": random.normal(3, 2, N), "g": random.choice(["a", "b"], N), "k": random.poisson(3, N)})
TABLE["y"] = (random.random(N) < 1 / (1 + np.exp(3 - TABLE.x))).astype(int)
CONTRACT = infer_contract({"all": TABLE})


def spread(places, institutions):
    places = np.array(places) % institutions
    return {f"n{i}": TABLE[places == i] for i in range(institutions)}


@pytest.mark.parametrize(("family", "outcome"), [("binomial", "y"), ("poisson", "k"), ("gaussian", "k")])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 5), min_size=N, max_size=N), institutions=st.integers(2, 6))
def test_glm(run_pooled, family, outcome, places, institutions):
    params = {"outcome": outcome, "features": ["x", "g"], "family": family}
    whole = run_pooled({"all": TABLE}, GlmFit(), params, contract=CONTRACT)
    parts = run_pooled(spread(places, institutions), GlmFit(), params, contract=CONTRACT)
    np.testing.assert_allclose(parts.params, whole.params, rtol=1e-10)
    np.testing.assert_allclose(parts.cov_params(), whole.cov_params(), rtol=1e-8)
    np.testing.assert_allclose([parts.deviance, parts.aic], [whole.deviance, whole.aic], rtol=1e-12)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 5), min_size=N, max_size=N), institutions=st.integers(2, 6))
def test_describe(run_pooled, places, institutions):
    params = {"columns": ["x", "g", "y"]}
    whole = run_pooled({"all": TABLE}, Describe(), params, contract=CONTRACT)
    parts = run_pooled(spread(places, institutions), Describe(), params, contract=CONTRACT)
    np.testing.assert_allclose(parts, whole, rtol=1e-10)
    pd.testing.assert_series_equal(parts.levels["g"], whole.levels["g"])
