"""What a reader of a Cox model expects: lifelines' names over a released payload."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.design.rebuild import rebuild
from sealane.computations.disclosure import basis_lines
from sealane.computations.outcome import said
from sealane.computations.survival.baseline import Baselines
from sealane.computations.survival.significance import Significance, chi_squared, proportionality_table
from sealane.errors import InputError


class CoxResult:
    """A fitted Cox model, the same at every institution.

    Attributes:
        params_: log hazard ratios by name (pandas Series).
        hazard_ratios_: their exponentials.
        standard_errors_: from the inverse information.
        variance_matrix_: inverse information.
        confidence_intervals_: of ``params_``.
        log_likelihood_: logarithm of the partial likelihood (less the penalty, if there is one).
        concordance_index_: share of pairs in which the higher risk goes first; None where there are too few rows.
        concordance_error_: most by which it may be off, since risks are compared in bins.
        grid: resolution, and how many grid times were merged into others and why, and the merged times of each stratum.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        names = pd.Index(payload["columns"], name="covariate")
        self.params_ = pd.Series(payload["params"], index=names, dtype=np.float64, name="coef")
        self.hazard_ratios_ = pd.Series(np.exp(self.params_), name="exp(coef)")
        self.variance_matrix_ = pd.DataFrame(payload["covariance"], index=names, columns=names, dtype=np.float64)
        self.standard_errors_ = pd.Series(np.sqrt(np.diag(self.variance_matrix_)), index=names, name="se")
        self._level = float(payload["confidence"])
        width = NormalDist().inv_cdf(0.5 + self._level / 2.0) * self.standard_errors_
        percent = f"{100 * self._level:g}%"
        self.confidence_intervals_ = pd.DataFrame({f"{percent} lower-bound": self.params_ - width,
                                                   f"{percent} upper-bound": self.params_ + width})
        self.log_likelihood_: float = payload["log_likelihood"]
        agreement = payload["concordance"]
        self.concordance_index_: float | None = None if agreement is None else agreement["index"]
        self.concordance_error_: float | None = None if agreement is None else agreement["error"]
        self.grid: dict[str, Any] = dict(payload["grid"])
        self._baselines = Baselines(payload["baselines"], payload["strata"])
        self.trace: Any = None

    @property
    def AIC_partial_(self) -> float:
        """Akaike's criterion of the partial likelihood."""
        return -2.0 * self.log_likelihood_ + 2.0 * len(self.params_)

    @property
    def baseline_hazard_(self) -> pd.DataFrame:
        """Breslow's hazard at mean covariates at each event time, one column per stratum.

        Raises:
            InputError: each institution has a baseline of its own, and those are not released.
        """
        return self._baselines.hazard

    @property
    def baseline_cumulative_hazard_(self) -> pd.DataFrame:
        """Sum of the baseline hazard up to each event time."""
        return self._baselines.cumulative

    @property
    def baseline_survival_(self) -> pd.DataFrame:
        """exp(-baseline cumulative hazard)."""
        return pd.DataFrame(np.exp(-self.baseline_cumulative_hazard_))

    @property
    def summary(self) -> pd.DataFrame:
        """The table of coefficients that lifelines gives."""
        percent = f"{100 * self._level:g}%"
        low, high = (self.confidence_intervals_[f"{percent} {end}-bound"] for end in ("lower", "upper"))
        z = self.params_ / self.standard_errors_
        p = pd.Series([math.erfc(abs(one) / math.sqrt(2.0)) for one in z], index=z.index)
        with np.errstate(divide="ignore"):
            surprise = -np.log2(p)
        return pd.DataFrame({
            "coef": self.params_, "exp(coef)": self.hazard_ratios_, "se(coef)": self.standard_errors_,
            f"coef lower {percent}": low, f"coef upper {percent}": high, f"exp(coef) lower {percent}": np.exp(low),
            f"exp(coef) upper {percent}": np.exp(high), "cmp to": 0.0, "z": z, "p": p, "-log2(p)": surprise})

    def log_likelihood_ratio_test(self) -> Significance:
        """Compare the model with one without covariates."""
        return chi_squared(2.0 * (self.log_likelihood_ - self._payload["null_log_likelihood"]), len(self.params_))

    def proportional_hazard_test(self, time_transform: str = "rank") -> pd.DataFrame:
        """Return the test on scaled Schoenfeld residuals of each coefficient: statistic and p value.

        Args:
            time_transform: ``rank`` (events of one time have their middle rank), ``identity``, ``log``, ``km`` or
                ``all``.

        Raises:
            InputError: none of these, or one that the event times have not.
        """
        return proportionality_table(self._payload["proportionality"], list(self.params_.index), time_transform)

    @property
    def check_proportional_hazards_(self) -> pd.DataFrame:
        """The test by every function of time."""
        return self.proportional_hazard_test("all")

    def predict_log_partial_hazard(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return (x - mean) β of new rows; NaN where a feature is missing."""
        x = rebuild(self._payload["design"], rows)
        return pd.Series((x.to_numpy() - np.array(self._payload["centre"])) @ self.params_.to_numpy(), index=rows.index)

    def predict_partial_hazard(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return exp((x - mean) β) of new rows."""
        return pd.Series(np.exp(self.predict_log_partial_hazard(rows)))

    def predict_cumulative_hazard(self, rows: pd.DataFrame, times: Any = None) -> pd.DataFrame:
        """Return the cumulative hazard of new rows, one column each, as a step function at times (all event times)."""
        return self._baselines.predict(self.predict_partial_hazard(rows), rows, times)

    def predict_survival_function(self, rows: pd.DataFrame, times: Any = None) -> pd.DataFrame:
        """Return the probability of new rows to be without the event at times, one column each."""
        return pd.DataFrame(np.exp(-self.predict_cumulative_hazard(rows, times)))

    def predict_percentile(self, rows: pd.DataFrame, p: float = 0.5) -> pd.Series[float]:
        """Return the first event time at which the survival of new rows is at most ``p``; infinite if none is."""
        if not 0.0 < p < 1.0:
            raise InputError("survival.percentile", "a share lies between 0 and 1", got=p)
        survival = self.predict_survival_function(rows)
        under = survival.to_numpy() <= p
        first = np.append(survival.index.to_numpy(dtype=np.float64), np.inf)
        place = np.where(under.any(axis=0), under.argmax(axis=0), len(survival))
        return pd.Series(np.where(survival.isna().any().to_numpy(), np.nan, first[place]), index=rows.index)

    def predict_median(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the median time of new rows, see :meth:`predict_percentile`."""
        return self.predict_percentile(rows, 0.5)

    def print_summary(self) -> None:
        """Print the model as a table."""
        print(self.text())

    def text(self) -> str:
        """Return the model as a table in plain text."""
        p, test = self._payload, self.log_likelihood_ratio_test()
        table = self.summary.drop(columns=["cmp to", "-log2(p)"])
        facts = [
            f"Cox model over the cohort: {p['events']:,} events in {p['rows']:,} rows, {p['ties']} ties"
            + (f", strata {', '.join(p['strata'])}" if p["strata"] else "")
            + (", a baseline per institution" if p["institution_baselines"] else "")
            + (f", ridge {p['penalizer']:g}" if p["penalizer"] else ""),
            f"{p['duration']}, event {said(p['event'], p['event_level'])}",
            f"log-likelihood {self.log_likelihood_:.6g}, likelihood ratio {test.test_statistic:.4g} on "
            f"{test.degrees_freedom}, p {test.p_value:.3g}; AIC {self.AIC_partial_:.6g}",
            f"events per parameter {p['events_per_parameter']:.3g}",
        ]
        if self.concordance_index_ is not None:
            facts.append(f"concordance {self.concordance_index_:.4f} +- {self.concordance_error_:.4f} (bins of risk)")
        grid = self.grid
        facts.append(f"grid of {grid['resolution']:g}{' ' + grid['unit'] if grid['unit'] else ''} (chosen by the "
                     f"{grid['chosen_by']}), {grid['merged']} times merged into others (minimum-count)")
        return "\n".join([*facts, *basis_lines(p["basis"]), table.to_string(float_format=lambda value: f"{value:.4g}")])

    def plot(self, ax: Any = None) -> Any:
        """Draw the hazard ratios with their limits; return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        from sealane.computations.survival.pictures import draw_forest

        limits = np.exp(self.confidence_intervals_.to_numpy())
        ratios = pd.DataFrame({"ratio": self.hazard_ratios_, "lower": limits[:, 0], "upper": limits[:, 1]})
        return draw_forest(ratios, ax, f"hazard ratio ({self._level:.0%} interval)")

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        test = self.log_likelihood_ratio_test()
        table = {str(name): {str(key): float(value) for key, value in row.items()}
                 for name, row in self.summary.drop(columns=["cmp to", "-log2(p)"]).iterrows()}
        return {**self._payload, "summary": table, "AIC_partial": self.AIC_partial_,
                "likelihood_ratio": {"test_statistic": test.test_statistic, "degrees_freedom": test.degrees_freedom,
                                     "p_value": test.p_value}}

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"
