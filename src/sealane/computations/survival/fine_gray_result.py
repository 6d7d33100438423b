"""What a reader of a subdistribution model expects: lifelines' names for a regression, over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.design.rebuild import rebuild
from sealane.computations.disclosure import basis_lines
from sealane.errors import InputError


class FineGrayResult:
    """A fitted model of the subdistribution hazard of one cause, the same at every institution.

    Attributes:
        params_: log subdistribution hazard ratios by name (pandas Series).
        hazard_ratios_: their exponentials.
        variance_matrix_: from all rows' influences, those through the weights included.
        standard_errors_: from it.
        naive_variance_matrix_: inverse information, which takes weights for known and rows of one risk set for many.
        confidence_intervals_: of ``params_``.
        log_likelihood_: logarithm of the weighted partial likelihood; not for comparing models.
        baseline_cumulative_hazard_: of the subdistribution at mean covariates, index time.
        nobs: rows used.
        events: of the cause of interest.
        grid: resolution, and the times that are left after merging.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        names = pd.Index(payload["columns"], name="covariate")
        self.params_ = pd.Series(payload["params"], index=names, dtype=np.float64, name="coef")
        self.hazard_ratios_ = pd.Series(np.exp(self.params_), name="exp(coef)")
        self.variance_matrix_ = pd.DataFrame(payload["covariance"], index=names, columns=names, dtype=np.float64)
        self.naive_variance_matrix_ = pd.DataFrame(payload["naive_covariance"], index=names, columns=names)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(self.variance_matrix_)), index=names, name="se")
        self._percent = f"{100 * float(payload['confidence']):g}%"
        width = NormalDist().inv_cdf(0.5 + float(payload["confidence"]) / 2.0) * self.standard_errors_
        self.confidence_intervals_ = pd.DataFrame({f"{self._percent} lower-bound": self.params_ - width,
                                                   f"{self._percent} upper-bound": self.params_ + width})
        self.log_likelihood_: float = payload["log_likelihood"]
        self.nobs: int = payload["nobs"]
        self.events: int = payload["events"]
        self.grid: dict[str, Any] = dict(payload["grid"])
        index = pd.Index(self.grid["events"]["times"], name="time", dtype=np.float64)
        self.baseline_cumulative_hazard_ = pd.Series(payload["baseline"], index=index, name="cumulative hazard")
        self.trace: Any = None

    @property
    def summary(self) -> pd.DataFrame:
        """The table of coefficients, in lifelines' columns."""
        low, high = (self.confidence_intervals_.iloc[:, k] for k in (0, 1))
        z = self.params_ / self.standard_errors_
        tails = [math.erfc(abs(one) / math.sqrt(2.0)) for one in z.tolist()]
        return pd.DataFrame({
            "coef": self.params_, "exp(coef)": self.hazard_ratios_, "se(coef)": self.standard_errors_,
            f"coef lower {self._percent}": low, f"coef upper {self._percent}": high,
            f"exp(coef) lower {self._percent}": np.exp(low), f"exp(coef) upper {self._percent}": np.exp(high), "z": z,
            "p": tails})

    def predict_cumulative_incidence(self, rows: pd.DataFrame, times: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the cumulative incidence at times (index) of new rows (columns), ``1 - exp(-Λ(t) e^η)``.

        Rows with a missing feature have NaN; without times, at every merged event time.
        """
        base = self.baseline_cumulative_hazard_
        at = base.index.to_numpy() if times is None else np.array(times, dtype=np.float64)
        steps = np.concatenate([[0.0], base.to_numpy()])[np.searchsorted(base.index, at, side="right")]
        x = rebuild(self._payload["design"], rows)[list(self.params_.index)].to_numpy()
        risk = np.exp(x @ self.params_.to_numpy() - self._payload["centre"])
        return pd.DataFrame(-np.expm1(-steps[:, None] * risk[None, :]), index=pd.Index(at, name="time"),
                            columns=rows.index)

    def wald_test(self, columns: Sequence[str] | None = None) -> pd.Series[float]:
        """Test whether the coefficients of some columns (all if None) are 0 together: statistic, freedom and p.

        With the columns of one category it compares the cumulative incidence of its levels.

        Raises:
            InputError: a column that is none of the model's.
        """
        from scipy.stats import chi2

        names = list(self.params_.index) if columns is None else list(columns)
        unknown = [name for name in names if name not in self.params_.index]
        if unknown or not names:
            raise InputError("fine-gray.unknown-column", "the model has no such column", got=", ".join(unknown)[:80],
                             expected=f"some of {', '.join(self.params_.index[:20])}")
        part = self.params_[names].to_numpy()
        statistic = float(part @ np.linalg.solve(self.variance_matrix_.loc[names, names].to_numpy(), part))
        return pd.Series({"test_statistic": statistic, "degrees_freedom": float(len(names)),
                          "p": float(chi2.sf(statistic, len(names)))})

    def plot(self, ax: Any = None) -> Any:
        """Draw the ratios with their limits and return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        from sealane.computations.survival.pictures import draw_forest

        low, high = (np.exp(self.confidence_intervals_.iloc[:, k]) for k in (0, 1))
        ratios = pd.DataFrame({"ratio": self.hazard_ratios_, "lower": low, "upper": high})
        return draw_forest(ratios, ax, f"subdistribution hazard ratio of {self._payload['cause']}")

    def print_summary(self) -> None:
        """Print the model."""
        print(self.text())

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        rows = {str(name): {str(key): float(value) for key, value in row.items()}
                for name, row in self.summary.iterrows()}
        return {**self._payload, "summary": rows}

    def text(self) -> str:
        """Return the model as a table in plain text."""
        p = self._payload
        head = (f"Subdistribution hazards of cause {p['cause']} over the cohort (Fine and Gray)\n"
                f"{self.nobs:,} rows, {self.events:,} events; competing: {', '.join(p['competing']) or 'none'}")
        head = "\n".join([head, *basis_lines(p["basis"])])
        return head + "\n\n" + self.summary.to_string(float_format=lambda value: f"{value:.4g}")

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"
