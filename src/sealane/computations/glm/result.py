"""What a reader of a fitted model expects: statsmodels' names over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.disclosure import basis_lines
from sealane.computations.glm.predicting import mean_of
from sealane.computations.outcome import said
from sealane.errors import InputError, RefusedError

COVARIANCES = {"model": "model", "robust": "robust (HC0)", "robust-hc1": "robust (HC1)",
               "institution": "by institution"}
METHODS = {"maximum-likelihood": "maximum likelihood", "firth": "Firth's penalised likelihood",
           "ridge": "ridge (outcome separated)"}


class GlmResult:
    """A fitted generalised linear model, the same at every institution.

    Attributes:
        params: coefficients by name (pandas Series); of a negative binomial with estimated dispersion also ``alpha``.
        bse: standard errors.
        tvalues: Wald z statistics.
        pvalues: two-sided p values of the normal distribution.
        deviance: residual deviance.
        null_deviance: deviance of the model with only an intercept; NaN where none was fitted.
        pearson_chi2: Pearson's chi-square; NaN where a row at odds with near certainty takes it past 2^56.
        llf: log-likelihood.
        aic: Akaike's criterion, ``-2 llf + 2 p``.
        bic_llf: Bayes' criterion by the log-likelihood.
        scale: dispersion; 1 except in a gaussian or gamma model.
        nobs: rows used.
        df_model: coefficients less one, institutions' own intercepts counted.
        df_resid: rows (or the sum of their weights) less coefficients.
        family: name of the family.
        link: name of the link.
        method: ``maximum-likelihood``, or ``firth`` or ``ridge`` where the outcome was separated.
        cov_type: which covariance the standard errors come from.
        intercepts: of institutions, by name, where all of them let these show; else None.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        names = list(payload["columns"])
        self.params = pd.Series(payload["params"], index=names, dtype=np.float64, name="coef")
        self._covariance = pd.DataFrame(payload["covariance"], index=names, columns=names, dtype=np.float64)
        errors = np.sqrt(np.diag(self._covariance.to_numpy()))
        self.bse = pd.Series(errors, index=names, name="std err")
        self.tvalues = pd.Series(self.params / self.bse, name="z")
        tails = [math.erfc(abs(z) / math.sqrt(2.0)) for z in self.tvalues.tolist()]
        self.pvalues = pd.Series(tails, index=names, name="P>|z|", dtype=np.float64)
        self.deviance: float = payload["deviance"]
        null = payload["null_deviance"]
        self.null_deviance: float = math.nan if null is None else null
        pearson = payload["pearson_chi2"]
        self.pearson_chi2: float = math.nan if pearson is None else pearson
        self.llf: float = payload["llf"]
        self.aic: float = payload["aic"]
        self.scale: float = payload["scale"]
        self.nobs: int = payload["nobs"]
        self.df_model: int = payload["df_model"]
        self.df_resid: float = payload["df_resid"]
        self.family: str = payload["family"]
        self.link: str = payload["link"]
        self.method: str = payload["method"]
        self.cov_type: str = payload["covariance_type"]
        shown = payload.get("intercepts")
        self.intercepts: pd.Series[float] | None = None if shown is None else pd.Series(shown, name="intercept")
        self.trace: Any = None

    @property
    def bic_llf(self) -> float:
        """Bayes' criterion, ``-2 llf + p log n``; n is the sum of the weights where there are some."""
        parameters = (self.aic + 2.0 * self.llf) / 2.0
        return -2.0 * self.llf + parameters * math.log(self.df_model + self.df_resid + 1)

    @property
    def odds_ratios(self) -> pd.DataFrame:
        """Odds ratios of a logistic model with their limits: columns ``odds ratio``, 0 and 1."""
        if self.link != "logit":
            raise InputError("glm.no-odds-ratios", "only a logistic model has odds ratios", got=f"link {self.link}",
                             expected="logit", hint="exp_params has the ratios of a model with a log link")
        return self.exp_params.rename(columns={"exp(coef)": "odds ratio"})

    @property
    def exp_params(self) -> pd.DataFrame:
        """Exponentials of the coefficients with their limits: columns ``exp(coef)``, 0 and 1."""
        if self.link not in ("logit", "log", "cloglog"):
            raise InputError("glm.no-ratios", "the exponential of a coefficient means nothing with this link",
                             got=self.link, expected="logit, log or cloglog")
        shown = pd.concat([self.params.rename("exp(coef)"), self.conf_int()], axis=1)
        return pd.DataFrame(np.exp(shown.drop(index="alpha", errors="ignore")))

    def conf_int(self, alpha: float | None = None) -> pd.DataFrame:
        """Return normal confidence limits, columns 0 and 1; ``alpha`` is 1 - the study's confidence if not given."""
        tail = 1.0 - float(self._payload["confidence"]) if alpha is None else alpha
        if not 0.0 < tail < 1.0:
            raise InputError("glm.alpha", "alpha lies between 0 and 1", got=alpha)
        width = NormalDist().inv_cdf(1.0 - tail / 2.0) * self.bse
        return pd.DataFrame({0: self.params - width, 1: self.params + width})

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the coefficients."""
        return self._covariance.copy()

    def predict(
        self, rows: pd.DataFrame, *, offset: Any = None, exposure: Any = None, institution: str | None = None,
        intercept: float | None = None,
    ) -> pd.Series[float]:
        """Return the expected outcome (a probability in a binomial model) of new rows.

        Rows with a missing feature give NaN, except where the model was fitted with ``missing = "mean"``.

        Args:
            rows: holds the features.
            offset: added to the linear predictor; one number or one per row; 0 if not given.
            exposure: its logarithm is added to it.
            institution: whose intercept to use, in a model with institution effects that shows them.
            intercept: an institution's own, which it knows itself.

        Raises:
            InputError: a column is missing, a level is none that the model knows, or it is not said whose intercept.
            RefusedError: institutions' intercepts are not shown.
        """
        return mean_of(self._payload, self.params.drop("alpha", errors="ignore"), rows, offset=offset,
                       exposure=exposure, intercept=self._intercept(institution, intercept))

    def summary(self) -> str:
        """Return the model as a table in plain text."""
        p = self._payload
        facts = [
            ("Outcome", said(p["outcome"], p["event_level"]), "Rows", f"{self.nobs:,.10g}"),
            ("Family", self.family, "Df residuals", f"{self.df_resid:,.10g}"),
            ("Link", self.link, "Log-likelihood", f"{self.llf:.5g}"),
            ("Newton steps", str(p["iterations"]), "AIC", f"{self.aic:.6g}"),
            ("Scale", f"{self.scale:.5g}", "Deviance (null)",
             f"{self.deviance:.5g} ({'none' if p['null_deviance'] is None else f'{self.null_deviance:.5g}'})"),
            ("Method", METHODS[self.method], "Covariance", COVARIANCES[self.cov_type]),
        ]
        limits = self.conf_int()
        half = (1.0 - float(p["confidence"])) / 2.0
        width = max(12, *(len(str(name)) for name in self.params.index))
        head = (f"{'':<{width}} {'coef':>11} {'std err':>10} {'z':>9} {'P>|z|':>7} "
                f"{f'[{half:.3g}':>11} {f'{1.0 - half:.3g}]':>11}")
        lines = [f"{'Generalised linear model over the cohort':^{len(head)}}", "=" * len(head)]
        lines += [f"{a:<14}{b:<{len(head) - 48}}{c:<18}{d:>16}" for a, b, c, d in facts]
        lines += ["-" * len(head), head, "-" * len(head)]
        for name in self.params.index:
            lines.append(
                f"{name:<{width}} {self.params[name]:>11.4g} {self.bse[name]:>10.3g} {self.tvalues[name]:>9.3f} "
                f"{self.pvalues[name]:>7.3f} {limits.loc[name, 0]:>11.4g} {limits.loc[name, 1]:>11.4g}"
            )
        lines += ["=" * len(head), *basis_lines(p["basis"])]
        if p["institution_effects"] == "fixed":
            lines.append("Each institution has an intercept of its own"
                         + (", which stays there." if self.intercepts is None else "."))
        if self.cov_type == "institution":
            lines.append(f"Errors clustered by {p['basis']['contributing']} institutions: unreliable with few.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        limits = self.conf_int()
        by_name: dict[str, dict[str, float]] = {
            "coefficients": dict(self.params), "standard_errors": dict(self.bse), "z_values": dict(self.tvalues),
            "p_values": dict(self.pvalues),
        }
        plain = {key: {str(name): float(value) for name, value in values.items()} for key, values in by_name.items()}
        intervals = {str(name): [float(limits.loc[name, 0]), float(limits.loc[name, 1])] for name in limits.index}
        return {**self._payload, **plain, "confidence_intervals": intervals, "bic_llf": self.bic_llf}

    def _intercept(self, institution: str | None, intercept: float | None) -> float:
        if self._payload["institution_effects"] == "none":
            if institution is not None or intercept is not None:
                raise InputError("glm.no-institution-effects", "the model has no intercepts of institutions",
                                 got=institution or intercept, expected="no institution")
            return 0.0
        if intercept is not None:
            return intercept
        if institution is None:
            raise InputError("glm.whose-intercept", "each institution has an intercept of its own",
                             got="no institution and no intercept", expected="institution= or intercept=")
        if self.intercepts is None:
            raise RefusedError("glm.intercepts-not-waived", "institutions' intercepts stay at their nodes",
                               got=institution, expected="every institution's waiver",
                               hint="an institution that knows its own can give it: intercept=")
        if institution not in self.intercepts.index:
            raise InputError("glm.unknown-institution", "no such institution", got=institution,
                             expected=", ".join(map(str, self.intercepts.index)))
        return float(self.intercepts[institution])

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
