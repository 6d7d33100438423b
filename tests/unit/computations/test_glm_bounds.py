"""Sums that no contract bounds: a node holds its own against one ceiling, and says so instead of crossing it."""

from __future__ import annotations

import asyncio

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.computations.base import real
from sealane.computations.glm.families import ALLOWED, Binomial, Gamma, Poisson, family_of
from sealane.computations.glm.fit import GlmFit
from sealane.computations.glm.likelihood import Likelihood
from sealane.computations.glm.links import LINKS
from sealane.computations.glm.opening import CEILING, open_sums
from sealane.computations.glm.sandwich import sandwich
from sealane.computations.glm.working import Kind, Own, gram
from sealane.errors import RefusedError
from sealane.governance.contract import Contract, Field, infer_contract
from sealane.secagg.layout import plan


class Alone:
    """A cohort of one that remembers what it was given."""

    minimum_count = 10

    async def sum(self, terms):
        self.terms = terms
        return {name: term.values for name, term in terms.items()}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -2 * CEILING])
def test_a_node_past_the_ceiling_contributes_zeros_and_says_so(bad):
    cohort = Alone()
    own = {"a": np.array([1.0, bad]), "b": np.array([3.0])}
    opened = asyncio.run(open_sums(cohort, own, {"a": (2,), "b": (1,)}))
    assert opened.runaway
    assert all((term.values == 0).all() for name, term in cohort.terms.items() if name != "runaway")
    assert asyncio.run(open_sums(cohort, None, {"a": (2,)})).runaway


def test_what_fits_is_summed_under_the_same_bound_whatever_it_is():
    cohort = Alone()
    opened = asyncio.run(open_sums(cohort, {"a": np.array([CEILING, 1e-9])}, {"a": (2,)}))
    assert not opened.runaway
    assert opened.sums["a"].tolist() == [CEILING, 1e-9]
    assert cohort.terms["a"].bound == CEILING


def test_a_thousand_nodes_keep_their_digits():
    layout = plan({"a": real([0.0], CEILING)}, 1000)
    assert layout.places[0].fraction >= 56


@pytest.mark.parametrize(("kind", "predictor"), [
    (Kind(Poisson(), LINKS["identity"]), -1.0), (Kind(Gamma(), LINKS["inverse"]), 0.0),
    (Kind(Gamma(), LINKS["inverse"]), -2.0)])
def test_a_row_whose_mean_cannot_be(kind, predictor):
    own = Own(np.ones((2, 1)), np.array([1.0, 2.0]), None, None)
    assert kind.work(own, np.array([1.0, predictor])) is None
    assert kind.work(own, np.array([1.0, 1.0])) is not None


@pytest.mark.parametrize("rows", [1, 4096, 9001])
def test_gram_in_pieces(rows):
    random = np.random.default_rng(rows)
    x, weights = random.normal(size=(rows, 7)), random.gamma(1.0, 1.0, rows)
    np.testing.assert_allclose(gram(x, weights), x.T @ (x * weights[:, None]), rtol=1e-9, atol=1e-9)
    weights[0] = -1.0
    np.testing.assert_allclose(gram(x, weights), x.T @ (x * weights[:, None]), rtol=1e-9, atol=1e-9)


def test_weights_too_large_for_an_exact_sum(run_pooled):
    frame = pd.DataFrame({"x": np.arange(90.0) % 7, "y": np.arange(90) % 2, "w": 1e17})
    fields = [*infer_contract({"all": frame[["x", "y"]]}).fields, Field(name="w", type="number", minimum=0,
                                                                         maximum=1e18)]
    with pytest.raises(RefusedError) as caught:
        run_pooled({"a": frame[:40], "b": frame[40:]}, GlmFit(),
                   {"outcome": "y", "features": ["x"], "family": "binomial", "weights": "w"},
                   contract=Contract(id="test.heavy/v1", fields=tuple(fields)))
    assert caught.value.code == "glm.range-too-wide"


def test_a_wide_contract_costs_nothing_where_the_rows_are_not(run_pooled):
    """Bounds that followed the contract's ranges refused this model; no row is near them."""
    random = np.random.default_rng(8)
    frame = pd.DataFrame({"x": random.normal(size=240)})
    frame["k"] = random.poisson(np.exp(0.5 + 0.4 * frame.x)) * 1000
    fields = (Field(name="x", type="number", minimum=-5e6, maximum=5e6),
              Field(name="k", type="number", minimum=0, maximum=2e6))
    fit = run_pooled({"a": frame[:100], "b": frame[100:]}, GlmFit(),
                     {"outcome": "k", "features": ["x"], "family": "poisson"},
                     contract=Contract(id="test.wide/v1", fields=fields))
    sm = pytest.importorskip("statsmodels.api")
    theirs = sm.GLM(frame.k, sm.add_constant(frame[["x"]]), family=sm.families.Poisson()).fit(tol=1e-13)
    np.testing.assert_allclose(fit.params, theirs.params, rtol=1e-8)


class Everybody(Alone):
    """A cohort of one that agrees."""

    async def agree(self, values):
        return values


def test_an_observed_information_without_an_inverse_gives_no_robust_errors():
    own = Own(np.ones((40, 2)), np.arange(40.0) % 2, None, None)  # the same column twice
    likelihood = Likelihood(Everybody(), Kind(Binomial(), LINKS["logit"]), own)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(sandwich(likelihood, np.zeros(2), clustered=False))
    assert caught.value.code == "glm.no-robust-covariance"


ROWS = st.lists(st.tuples(st.floats(0, 1), st.floats(-40, 40), st.integers(1, 9)), min_size=1, max_size=12)


@pytest.mark.parametrize(("family", "link"), [(name, link) for name, links in ALLOWED.items() for link in links])
@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_legal_rows_are_evaluated_or_said_to_be_past_the_border(family, link, rows):
    """Whatever the predictor: sums are finite with no negative weight or deviance, or the node's count says so."""
    share, predictor, weights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    y = np.round(share) if family == "binomial" else np.round(share * 50) + (family == "gamma")
    own = Own(np.column_stack([np.ones_like(y), share]), y, None, weights)
    kind = Kind(family_of(family, 0.7), LINKS[link])
    likelihood = Likelihood(Alone(), kind, own)
    worked = kind.work(own, predictor)
    opened = asyncio.run(open_sums(Alone(), None if worked is None else likelihood.parts(worked),
                                   {"information": (3,), "score": (2,), "totals": (2,)}))
    if opened.runaway:
        return
    assert all(np.isfinite(values).all() for values in opened.sums.values())
    assert opened.sums["information"][[0, 2]].min() >= 0.0
    deviance, pearson = opened.sums["totals"]
    assert deviance >= -1e-6 * weights.sum()
    assert pearson >= 0.0
