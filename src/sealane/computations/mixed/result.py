"""What a reader of a mixed model expects: statsmodels' names over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.errors import InputError


class MixedResult:
    """A model with a random intercept per institution, the same at every institution.

    Attributes:
        fe_params: fixed effects by name (pandas Series).
        bse_fe: their standard errors; from the observed information, as statsmodels has it, or given the variances
            where that does not exist (``errors`` says which).
        cov_re: variance of the intercepts between institutions, a frame of one cell.
        scale: residual variance; 1 in a logistic model.
        icc: share of the variance that lies between institutions; of the latent outcome in a logistic model, whose
            residual variance is π² / 3.
        random_effects: each institution's predicted intercept (pandas Series by name).
        random_effects_sd: deviations of those predictions, given the variances.
        rows: rows of each institution.
        llf: log-likelihood, restricted if ``reml``.
        llf_pooled: that of the same model without random intercepts.
        aic: ``-2 llf`` and twice the number of parameters, variances included; NaN if ``reml``.
        reml: whether the likelihood is the restricted one.
        nobs: rows used.
        errors: how standard errors were had.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        names = list(payload["columns"])
        self.fe_params = pd.Series(payload["fe_params"], index=names, dtype=np.float64, name="Coef.")
        self._covariance = pd.DataFrame(payload["covariance"], index=names, columns=names, dtype=np.float64)
        self.bse_fe = pd.Series(np.sqrt(np.diag(self._covariance)), index=names, name="Std.Err.")
        self.tvalues = (self.fe_params / self.bse_fe).rename("z")
        tails = [math.erfc(abs(z) / math.sqrt(2.0)) for z in self.tvalues.tolist()]
        self.pvalues = pd.Series(tails, index=names, name="P>|z|", dtype=np.float64)
        self.cov_re = pd.DataFrame([[payload["cov_re"]]], index=["Group"], columns=["Group"])
        self.scale: float = payload["scale"]
        self.family: str = payload["family"]
        linear = self.family == "gaussian"
        between = float(payload["cov_re"])
        self.icc: float = payload["icc"] if linear else between / (between + math.pi**2 / 3.0)
        institutions = payload["institutions"]
        index = [one["name"] for one in institutions]
        self.random_effects = pd.Series([one["intercept"] for one in institutions], index=index, name="Group")
        self.random_effects_sd = pd.Series(np.sqrt([one["variance"] for one in institutions]), index=index)
        self.rows = pd.Series([one["rows"] for one in institutions], index=index, name="rows")
        self.reml: bool = payload["reml"]
        both: tuple[float, float] = _in_contract_units(payload) if linear else tuple(payload["llf"])
        self.llf, self.llf_pooled = both
        self.aic = math.nan if self.reml else -2.0 * self.llf + 2.0 * (len(names) + 1 + linear)
        self.nobs: int = payload["nobs"]
        self.errors: str = payload["errors"]
        self.trace: Any = None

    def conf_int(self, alpha: float | None = None) -> pd.DataFrame:
        """Return normal limits of the fixed effects, 0 and 1; ``alpha`` is 1 - the study's confidence if None."""
        tail = 1.0 - float(self._payload["confidence"]) if alpha is None else alpha
        if not 0.0 < tail < 1.0:
            raise InputError("mixed.alpha", "alpha lies between 0 and 1", got=alpha)
        width = NormalDist().inv_cdf(1.0 - tail / 2.0) * self.bse_fe
        return pd.DataFrame({0: self.fe_params - width, 1: self.fe_params + width})

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the fixed effects."""
        return self._covariance.copy()

    def test_heterogeneity(self) -> tuple[float, float]:
        """Return the likelihood ratio of the random intercepts and its p value.

        At the edge half of the distribution sits at 0. Source: Self and Liang (1987), JASA 82.
        """
        ratio = max(2.0 * (self.llf - self.llf_pooled), 0.0)
        return ratio, 1.0 if ratio == 0.0 else 0.5 * math.erfc(math.sqrt(ratio / 2.0))

    def summary(self) -> str:
        """Return the model as tables in plain text."""
        limits = self.conf_int()
        table = pd.DataFrame({"Coef.": self.fe_params, "Std.Err.": self.bse_fe, "z": self.tvalues,
                              "P>|z|": self.pvalues, "low": limits[0], "high": limits[1]})
        own = pd.DataFrame({"rows": self.rows, "intercept": self.random_effects, "sd": self.random_effects_sd})
        ratio, p = self.test_heterogeneity()
        method, kind = "REML" if self.reml else "ML", "Linear" if self.family == "gaussian" else "Logistic"
        residual = self.scale if self.family == "gaussian" else math.pi ** 2 / 3.0  # logistic, as in the ICC
        head = (f"{kind} mixed model, random intercept of {len(own)} institutions, {self.nobs:,} rows ({method})\n"
                f"Outcome {self._payload['outcome']}   log-likelihood {self.llf:.6g}\n"
                f"Variance between institutions {self._payload['cov_re']:.5g}   residual {residual:.5g}   "
                f"ICC {self.icc:.3f}\nLikelihood ratio of the intercepts {ratio:.4g}, p {p:.3g}\n"
                f"Standard errors: {self.errors}")
        def number(value: float) -> str:
            return f"{value:.4g}"

        return "\n\n".join([head, table.to_string(float_format=number), own.to_string(float_format=number)])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        limits = self.conf_int()
        return {**self._payload, "standard_errors": {str(k): float(v) for k, v in self.bse_fe.items()},
                "p_values": {str(k): float(v) for k, v in self.pvalues.items()},
                "confidence_intervals": {str(name): [float(limits.loc[name, 0]), float(limits.loc[name, 1])]
                                         for name in limits.index},
                "llf": self.llf, "llf_pooled": self.llf_pooled}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


def _in_contract_units(payload: Mapping[str, Any]) -> tuple[float, float]:
    """Return the log-likelihoods of the fit and of the one without random intercepts in the contract's units."""
    outcome, *columns = payload["units"]
    size, reml = len(payload["columns"]), payload["reml"]
    shift = (payload["nobs"] - (size if reml else 0)) * math.log(outcome)
    if reml:
        # Through the determinant of X'V⁻¹X.
        shift += math.fsum(math.log(scale) for scale in columns)
    first, second = payload["llf_standardised"]
    return first - shift, second - shift
