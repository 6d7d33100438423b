"""What a reader of an accelerated failure time model expects: lifelines' names over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations import forest
from sealane.computations.design.rebuild import rebuild
from sealane.computations.design.variables import Array
from sealane.computations.disclosure import basis_lines
from sealane.computations.outcome import said
from sealane.computations.survival.aft_distributions import DISTRIBUTIONS
from sealane.errors import InputError

_CURVE_POINTS = 101


class AftResult:
    """A fitted accelerated failure time model, the same at every institution.

    Attributes:
        params_: coefficients by parameter and covariate, as lifelines has them: of log time (``lambda_``, ``alpha_`` or
            ``mu_``), and the logarithm of the shape (``rho_``, ``beta_``) or of the spread (``sigma_``).
        standard_errors_: theirs.
        variance_matrix_: covariance of all.
        confidence_intervals_: at the study's confidence.
        summary: all of it as a table.
        log_likelihood_: of the fit.
        AIC_: ``-2 log_likelihood_`` plus twice the number of parameters.
        median_survival_time_: of a row at the mean of every column.
        mean_survival_time_: of such a row.
        nobs: rows used.
        event_observed: number of events, or None where the number of the others is under the minimum count.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        distribution = DISTRIBUTIONS[payload["distribution"]]
        location, scale = distribution.labels
        self._sign = -1.0 if scale == "sigma_" else 1.0
        self._rho: float = payload["shape"]
        index = pd.MultiIndex.from_tuples([*((location, name) for name in payload["columns"]), (scale, "Intercept")],
                                          names=["param", "covariate"])
        values = [*payload["params"], self._sign * math.log(self._rho)]
        self.params_ = pd.Series(values, index=index, name="coef")
        covariance = np.array(payload["covariance"])
        covariance[-1, :-1] *= self._sign
        covariance[:-1, -1] *= self._sign
        self.variance_matrix_ = pd.DataFrame(covariance, index=index, columns=index)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(covariance)), index=index, name="se")
        z = NormalDist().inv_cdf(0.5 + payload["confidence"] / 2.0)
        level = f"{100 * payload['confidence']:g}%"
        self.confidence_intervals_ = pd.DataFrame({f"{level} lower-bound": self.params_ - z * self.standard_errors_,
                                                   f"{level} upper-bound": self.params_ + z * self.standard_errors_})
        self.log_likelihood_: float = payload["llf"]
        self.nobs: int = payload["nobs"]
        self.event_observed: int | None = payload["events"]
        self.AIC_ = -2.0 * self.log_likelihood_ + 2.0 * len(values)
        middle = np.array([payload["centre"]])
        self.median_survival_time_ = float(self._quantile(middle, 0.5)[0])
        self.mean_survival_time_ = float(self._expectation(middle)[0])
        self.trace: Any = None

    @property
    def summary(self) -> pd.DataFrame:
        """Coefficients with errors, limits, z and p, in lifelines' columns."""
        level = f"{100 * self._payload['confidence']:g}%"
        low, high = (self.confidence_intervals_.iloc[:, k] for k in (0, 1))
        z = self.params_ / self.standard_errors_
        tails = np.array([math.erfc(abs(one) / math.sqrt(2.0)) for one in z.tolist()])
        with np.errstate(divide="ignore", over="ignore"):
            return pd.DataFrame({
                "coef": self.params_, "exp(coef)": np.exp(self.params_), "se(coef)": self.standard_errors_,
                f"coef lower {level}": low, f"coef upper {level}": high, f"exp(coef) lower {level}": np.exp(low),
                f"exp(coef) upper {level}": np.exp(high), "z": z, "p": tails, "-log2(p)": -np.log2(tails)})

    def log_likelihood_ratio_test(self) -> pd.Series[float]:
        """Compare with the model of an intercept only: statistic, degrees of freedom and p."""
        from scipy.stats import chi2

        statistic = max(2.0 * (self.log_likelihood_ - self._payload["llf_null"]), 0.0)
        freedom = len(self._payload["columns"]) - 1
        return pd.Series({"test_statistic": statistic, "degrees_freedom": float(freedom),
                          "p": float(chi2.sf(statistic, freedom))})

    def predict_percentile(self, rows: pd.DataFrame, p: float = 0.5) -> pd.Series[float]:
        """Return the time at which survival has fallen to ``p`` for new rows; NaN where a feature is missing."""
        if not 0.0 < p < 1.0:
            raise InputError("aft.percentile", "p lies between 0 and 1", got=p)
        return pd.Series(self._quantile(self._location(rows), p), index=rows.index, name=p)

    def predict_median(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the median survival time of new rows."""
        return self.predict_percentile(rows, 0.5)

    def predict_expectation(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the mean survival time of new rows; NaN where the distribution has none."""
        return pd.Series(self._expectation(self._location(rows)), index=rows.index)

    def predict_survival_function(self, rows: pd.DataFrame, times: Sequence[float] | None = None) -> pd.DataFrame:
        """Return survival at times (index) of new rows (columns); evenly over the contract's range if None."""
        even = np.linspace(0.0, self._payload["longest"], _CURVE_POINTS)
        at = even if times is None else np.array(times, dtype=np.float64)
        with np.errstate(divide="ignore"):
            z = self._rho * (np.log(at)[:, None] - self._location(rows)[None, :])
        return pd.DataFrame(self._survival(z), index=pd.Index(at, name="time"), columns=rows.index)

    def predict_cumulative_hazard(self, rows: pd.DataFrame, times: Sequence[float] | None = None) -> pd.DataFrame:
        """Return minus the logarithm of survival."""
        with np.errstate(divide="ignore"):
            return pd.DataFrame(-np.log(self.predict_survival_function(rows, times)))

    def plot(self, ax: Any = None) -> Any:
        """Draw coefficients with their limits and return the Axes."""
        low, high = (self.confidence_intervals_.iloc[:, k] for k in (0, 1))
        frame = pd.DataFrame({"effect": self.params_, "low": low, "high": high})
        keep = [covariate != "Intercept" for _, covariate in frame.index]
        frame = frame[keep].droplevel(0)
        return forest.draw(frame, ax, title="Effects on log time", exponentiate=False)

    def print_summary(self) -> None:
        """Print the model."""
        print(self.text())

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        table = self.summary
        rows = {f"{param} {covariate}": {str(key): float(value) for key, value in table.loc[(param, covariate)].items()}
                for param, covariate in table.index}
        return {**self._payload, "summary": rows, "aic": self.AIC_,
                "median_survival_time": self.median_survival_time_}

    def text(self) -> str:
        """Return the model as a table in plain text."""
        p, test = self._payload, self.log_likelihood_ratio_test()
        events = "hidden" if self.event_observed is None else f"{self.event_observed:,}"
        head = (f"Accelerated failure time model ({p['distribution'].replace('_', '-')}) over the cohort\n"
                f"{p['duration']}, event {said(p['event'], p['event_level'])}: {self.nobs:,} rows, {events} events\n"
                f"Log-likelihood {self.log_likelihood_:.6g}   AIC {self.AIC_:.6g}   "
                f"likelihood ratio {test['test_statistic']:.4g} on {test['degrees_freedom']:.0f}, p {test['p']:.3g}")
        head = "\n".join([head, *basis_lines(p["basis"])])
        return head + "\n\n" + self.summary.iloc[:, [0, 1, 2, 3, 4, 7, 8]].to_string(float_format=lambda v: f"{v:.4g}")

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"

    def _location(self, rows: pd.DataFrame) -> Array:
        columns = rebuild(self._payload["design"], rows)
        coefficients = np.array(self._payload["params"])
        return np.asarray(columns[self._payload["columns"]].to_numpy() @ coefficients, dtype=np.float64)

    def _survival(self, z: Array) -> Array:
        from scipy.special import expit, ndtr

        name = self._payload["distribution"]
        with np.errstate(over="ignore"):
            curve = np.exp(-np.exp(z)) if name == "weibull" else expit(-z) if name == "log_logistic" else ndtr(-z)
        return np.asarray(curve, dtype=np.float64)

    def _quantile(self, location: Array, p: float) -> Array:
        """Return exp(η + z / ρ) where z is the place at which survival is p."""
        name = self._payload["distribution"]
        place = {"weibull": math.log(-math.log(p)), "log_logistic": math.log(1.0 / p - 1.0),
                 "log_normal": -NormalDist().inv_cdf(p)}[name]
        return np.asarray(np.exp(location + place / self._rho), dtype=np.float64)

    def _expectation(self, location: Array) -> Array:
        name, rho = self._payload["distribution"], self._rho
        if name == "weibull":
            factor = math.gamma(1.0 + 1.0 / rho)
        elif name == "log_normal":
            factor = math.exp(0.5 / (rho * rho))
        else:
            factor = math.pi / rho / math.sin(math.pi / rho) if rho > 1.0 else math.nan
        return np.asarray(np.exp(location) * factor, dtype=np.float64)
