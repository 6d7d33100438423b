"""Formulas give the columns that patsy gives, and the fit that statsmodels gives; nothing in them is evaluated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane.computations.design.formula import read_formula
from sealane.computations.glm.fit import GlmFit
from sealane.errors import InputError, RefusedError

patsy = pytest.importorskip("patsy")
sm = pytest.importorskip("statsmodels.api")

FORMULAS = [
    "y ~ a + b + x", "y ~ C(a) * x", "y ~ a * b", "y ~ a:b", "y ~ x + a:x", "y ~ a:x", "y ~ 0 + a + b", "y ~ 0 + a:b",
    "y ~ 0 + x:a + b", "y ~ a + a:b", "y ~ x * z", "y ~ log(w) + sqrt(w) + log1p(w) + I(x**2) + I(x**3)",
    "y ~ C(a, Treatment('v')) * b + x", "y ~ (a + b + x)**2", "y ~ C(d) * z", "y ~ a/x", "y ~ a*b*x",
    "y ~ `odd name` + a",
]


@pytest.fixture(scope="module")
def pooled() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 900
    frame = pd.DataFrame({
        "a": rng.choice(["u", "v", "w"], n), "b": rng.choice(["no", "yes"], n), "x": rng.normal(0, 2, n).round(3),
        "z": rng.integers(0, 2, n), "w": rng.uniform(0.5, 9, n).round(3), "d": rng.integers(1, 4, n),
        "odd name": rng.uniform(-1, 1, n).round(3),
    })
    frame["y"] = (frame.x + (frame.a == "v") * 2 + (frame.a == "w") * frame.x + frame.z + rng.normal(0, 1, n)).round(4)
    return frame


def thirds(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate(("east", "north", "west"))}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_fits_as_in_statsmodels(formula, pooled, run_pooled):
    result = run_pooled(thirds(pooled), GlmFit(), {"formula": formula, "family": "gaussian"})
    y, x = patsy.dmatrices(_for_patsy(formula), pooled, return_type="dataframe")
    expected = sm.OLS(y, x).fit()
    assert list(result.params.index) == [_as_written(name) for name in x.columns]
    np.testing.assert_allclose(result.params, expected.params, rtol=1e-7, atol=1e-9)
    residuals = expected.model.endog - expected.fittedvalues
    scale = float((residuals**2).sum() / expected.df_resid)
    np.testing.assert_allclose(result.bse, np.sqrt(np.diag(expected.normalized_cov_params) * scale), rtol=1e-6)
    np.testing.assert_allclose(result.predict(pooled.head(40)), expected.fittedvalues.head(40), rtol=1e-6, atol=1e-8)


def test_an_empty_combination_has_no_column_and_is_named(pooled, run_pooled):
    thinned = pooled[~((pooled.a == "w") & (pooled.b == "yes"))].reset_index(drop=True)
    result = run_pooled(thirds(thinned), GlmFit(), {"formula": "y ~ a * b", "family": "gaussian"})
    assert result.to_dict()["design"]["empty"] == ["a[T.w]:b[T.yes]"]
    x = patsy.dmatrix("a * b", thinned, return_type="dataframe").drop(columns="a[T.w]:b[T.yes]")
    np.testing.assert_allclose(result.params, sm.OLS(thinned.y, x).fit().params, rtol=1e-7)


def test_a_rare_combination_is_refused_by_its_names(pooled, run_pooled):
    rare = pooled[(pooled.a == "w") & (pooled.b == "yes")].index[4:]
    with pytest.raises(RefusedError) as caught:
        run_pooled(thirds(pooled.drop(rare).reset_index(drop=True)), GlmFit(),
                   {"formula": "y ~ a * b", "family": "gaussian"})
    assert caught.value.code == "model.rare-level"
    assert caught.value.got == "w with yes"


REFUSED = {
    "formula.malformed": ["y ~ __import__('os').system('true')", "y ~ (((((", "y ~ a + 2*b", "a ~ b ~ c"],
    "formula.unknown-factor": [
        "y ~ {__import__('os')}", "y ~ eval('1')", "y ~ C(a, Sum)", "y ~ I(x**9)", "y ~ I(x + 1)", "y ~ log(log(x))",
        "y ~ log(x, 2)", "y ~ C(a, Treatment(f()))", "y ~ C()", "log(y) ~ a + eval('1')"],
    "formula.several-parts": ["y ~ a | b"],
    "formula.outcome": ["log(y) ~ a", "y + z ~ a"],
    "formula.no-terms": ["y ~ 1", "y ~ 0"],
    "formula.too-large": ["y ~ " + "*".join("abcdefghijklm"), "y ~ " + "a" * 3000],
}


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in REFUSED.items() for text in texts])
def test_what_is_no_formula_of_ours_is_refused(code, text):
    with pytest.raises(InputError) as caught:
        read_formula(text)
    assert caught.value.code == code


@pytest.mark.parametrize("text", [
    "y ~", "~", "", "y ~ `a", "y ~ lambda: 0", "y ~ [1 for _ in x]", "y ~ a.b.c()", "\x00"])
def test_what_is_no_formula_at_all_is_refused_by_some_code(text):
    with pytest.raises(InputError, match=r"formula\."):
        read_formula(text)


def test_reading_evaluates_nothing(monkeypatch):
    def trap(*args: object, **named: object) -> None:
        raise AssertionError("a formula was evaluated")

    monkeypatch.setattr("builtins.eval", trap)
    monkeypatch.setattr("builtins.exec", trap)
    read_formula("y ~ log(x) + C(a, Treatment('v')) + I(x**2)")


@pytest.mark.parametrize(("formula", "code"), [
    ("y ~ log(x)", "model.transform-domain"), ("y ~ nowhere", "contract.unknown-field"),
    ("y ~ d + C(d)", "model.two-readings"), ("y ~ C(a) + C(a, Treatment('v'))", "model.two-readings"),
    ("y ~ C(a, Treatment('q'))", "model.unknown-level"), ("y ~ x + C(w)", "model.not-categorical"),
])
def test_a_formula_that_does_not_fit_the_contract(formula, code, pooled, run_pooled):
    with pytest.raises(InputError) as caught:
        run_pooled(thirds(pooled), GlmFit(), {"formula": formula, "family": "gaussian"})
    assert caught.value.code == code


def _for_patsy(formula: str) -> str:
    for name in ("log1p", "sqrt", "log("):
        formula = formula.replace(name, f"np.{name}")
    return formula.replace("`odd name`", "Q('odd name')").replace("np.np.", "np.")


def _as_written(name: str) -> str:
    return name.replace("np.", "").replace("Q('odd name')", "odd name")


def test_too_many_combinations_are_refused_before_anything_is_counted(run_pooled):
    frame = pd.DataFrame({"y": [0.5, 1.5] * 150, "a": range(300), "b": range(300), "c": range(300)})
    frame[["a", "b", "c"]] %= 250
    with pytest.raises(InputError) as caught:
        run_pooled(thirds(frame), GlmFit(), {"formula": "y ~ C(a) * C(b)", "family": "gaussian"})
    assert caught.value.code == "model.too-many-cells"
