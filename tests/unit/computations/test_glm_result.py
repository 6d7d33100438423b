from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from sealane.computations.glm.fit import GlmFit
from sealane.computations.glm.result import GlmResult
from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError


@pytest.fixture(scope="module")
def fitted(run_pooled):
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.normal(size=300), "g": random.choice(["a", "b<c"], 300)})
    frame["y"] = (random.random(300) < 1 / (1 + np.exp(-frame.x))).astype(int)
    frames = {"north": frame.iloc[:100], "south": frame.iloc[100:180], "west": frame.iloc[180:]}
    return run_pooled(frames, GlmFit(), {"outcome": "y", "features": ["x", "g"], "family": "binomial"})


def test_a_payload_survives_canonical_json(fitted):
    again = GlmResult(json.loads(canonical_bytes(fitted.to_dict())))
    pd.testing.assert_series_equal(again.params, fitted.params)
    pd.testing.assert_frame_equal(again.cov_params(), fitted.cov_params())
    assert repr(again) == repr(fitted)


def test_summary_names_every_coefficient_and_fits_a_terminal(fitted):
    text = fitted.summary()
    assert repr(fitted) == text
    for name in fitted.params.index:
        assert name in text
    assert "300" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "b&lt;c" in fitted._repr_html_()


def test_trace_is_for_whoever_ran_it(fitted):
    assert fitted.trace is None


def test_confidence_limits_widen_with_confidence(fitted):
    narrow, wide = fitted.conf_int(alpha=0.5), fitted.conf_int(alpha=0.01)
    assert (wide[0] < narrow[0]).all()
    assert (wide[1] > narrow[1]).all()
    pd.testing.assert_frame_equal(fitted.conf_int(), fitted.conf_int(alpha=0.05))
    with pytest.raises(InputError) as caught:
        fitted.conf_int(alpha=1.5)
    assert caught.value.code == "glm.alpha"


def test_predict_leaves_missing_rows_missing(fitted):
    new = pd.DataFrame({"x": [0.5, np.nan, 1.0], "g": ["a", "a", None]}, index=[7, 8, 9])
    predicted = fitted.predict(new)
    assert predicted.isna().tolist() == [False, True, True]
    by_hand = 1 / (1 + np.exp(-(fitted.params["Intercept"] + 0.5 * fitted.params["x"])))
    assert predicted[7] == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(("rows", "code"), [
    (pd.DataFrame({"x": [1.0]}), "model.missing-column"),
    (pd.DataFrame({"x": [1.0], "g": ["z"]}), "model.unknown-level"),
    (pd.DataFrame({"x": ["many"], "g": ["a"]}), "columns.not-numeric"),
])
def test_predict_refuses_rows_it_cannot_read(fitted, rows, code):
    with pytest.raises(InputError) as caught:
        fitted.predict(rows)
    assert caught.value.code == code
