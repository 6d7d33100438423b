"""What a reader of a fitted model expects: statsmodels' names over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.design.rebuild import rebuild
from sealane.computations.glm.families import FAMILIES
from sealane.errors import InputError


class GlmResult:
    """A fitted generalised linear model, the same at every institution.

    Attributes:
        params: coefficients by name (pandas Series).
        bse: standard errors.
        tvalues: Wald z statistics.
        pvalues: two-sided p values of the normal distribution.
        deviance: residual deviance.
        null_deviance: deviance of the model with only an intercept.
        llf: log-likelihood.
        aic: Akaike's criterion, ``-2 llf + 2 p``.
        scale: dispersion; 1 except in a gaussian model.
        nobs: rows used.
        df_model: columns less one.
        df_resid: rows less columns.
        family: name of the family.
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
        self.null_deviance: float = payload["null_deviance"]
        self.llf: float = payload["llf"]
        self.aic: float = payload["aic"]
        self.scale: float = payload["scale"]
        self.nobs: int = payload["nobs"]
        self.df_model: int = payload["df_model"]
        self.df_resid: int = payload["df_resid"]
        self.family: str = payload["family"]
        self.trace: Any = None

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

    def predict(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the expected outcome (a probability in a binomial model) of new rows.

        Rows with a missing feature give NaN, except where the model was fitted with ``missing = "mean"``.

        Raises:
            InputError: a column is missing, or a level is none that the model knows.
        """
        columns = rebuild(self._payload["design"], rows)
        predictor = np.zeros(len(rows))
        for name, coefficient in self.params.items():
            predictor += coefficient * columns[str(name)].to_numpy()
        return pd.Series(FAMILIES[self.family].mean(predictor), index=rows.index, name=self._payload["outcome"])

    def summary(self) -> str:
        """Return the model as a table in plain text."""
        p = self._payload
        facts = [
            ("Outcome", p["outcome"], "Rows", f"{self.nobs:,}"),
            ("Family", self.family, "Df residuals", f"{self.df_resid:,}"),
            ("Link", p["link"], "Log-likelihood", f"{self.llf:.5g}"),
            ("Newton steps", str(p["iterations"]), "AIC", f"{self.aic:.6g}"),
            ("Scale", f"{self.scale:.5g}", "Deviance (null)", f"{self.deviance:.5g} ({self.null_deviance:.5g})"),
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
        return "\n".join([*lines, "=" * len(head)])

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        limits = self.conf_int()
        by_name: dict[str, dict[str, float]] = {
            "coefficients": dict(self.params), "standard_errors": dict(self.bse), "z_values": dict(self.tvalues),
            "p_values": dict(self.pvalues),
        }
        plain = {key: {str(name): float(value) for name, value in values.items()} for key, values in by_name.items()}
        intervals = {str(name): [float(limits.loc[name, 0]), float(limits.loc[name, 1])] for name in limits.index}
        return {**self._payload, **plain, "confidence_intervals": intervals}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

