"""The effect of a treatment with its intervals, and whether the weights made the arms alike."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.causal.propensity import scores
from sealane.computations.design.rebuild import rebuild
from sealane.computations.disclosure import basis_lines
from sealane.computations.outcome import said
from sealane.computations.picture import new_axes
from sealane.errors import InputError, RefusedError

ALIKE = 0.1
"""Standardised mean difference up to which arms count as alike. Source: Austin (2009), Stat. Med. 28:3083-3107."""
_ESTIMANDS = {"ate": "average effect over everybody (ATE)", "att": "average effect on the treated (ATT)",
              "overlap": "average effect over the overlap population (ATO)"}
_LABELS = {"difference": "mean difference", "risk_ratio": "risk ratio", "odds_ratio": "odds ratio"}


class IpwResult:
    """An average treatment effect over the rows of all institutions.

    Attributes:
        effects: a DataFrame: ``estimate``, ``std err``, ``low``, ``high``, ``p`` of ``difference`` and, where the
            outcome has two values, ``risk_ratio`` and ``odds_ratio`` (errors and tests of those on the log scale).
        means: weighted mean of the outcome (a risk where it has two values) of the treated and the others.
        bse: their standard errors.
        balance: a DataFrame by feature column: standardised mean differences ``before`` and ``after``, ``hidden_by``.
        overlap: a DataFrame of rows by propensity score and arm, rounded to the minimum count; hidden cells are NaN.
        effective_rows: effective rows, (Σw)² / Σw², of each arm.
        params: coefficients of the propensity score; NaN where they would tell of few rows at a level in an arm.
        nobs: rows used.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        arms = ["treated", "control"]
        self.means = pd.Series(p["means"], index=arms, name="mean", dtype=np.float64)
        self._covariance = pd.DataFrame(p["covariance"], index=arms, columns=arms, dtype=np.float64)
        self.bse = pd.Series(np.sqrt(np.diag(self._covariance)), index=arms, name="std err")
        self.effective_rows = pd.Series(p["effective_rows"], index=arms, name="effective rows", dtype=np.float64)
        self.balance = pd.DataFrame(
            [[row["before"], row["after"], row["hidden_by"]] for row in p["balance"]],
            index=[row["name"] for row in p["balance"]], columns=["before", "after", "hidden_by"],
        ).astype({"before": np.float64, "after": np.float64})
        bins = len(p["overlap"]["treated"])
        self.overlap = pd.DataFrame(
            {name: [math.nan if n is None else float(n) for n in p["overlap"][name]] for name in arms},
            index=[f"{k / bins:g} to {(k + 1) / bins:g}" for k in range(bins)])
        fit = p["propensity"]
        self.params = pd.Series(fit["params"] or math.nan, index=fit["columns"], dtype=np.float64, name="coef")
        self.nobs: int = p["nobs"]
        self.effects = self._effects()
        self.trace: Any = None

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance of the two means."""
        return self._covariance.copy()

    def predict(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the propensity score of new rows; NaN where a feature is missing.

        Raises:
            InputError: a column is missing, or a level is none that the model knows.
            RefusedError: ``ipw.hidden-score``: the coefficients are hidden.
        """
        if self._payload["propensity"]["params"] is None:
            raise RefusedError("ipw.hidden-score", "the propensity score is hidden: it would tell of a small cell",
                               got="few rows of an arm at a level", expected="none, or as many as the minimum count",
                               hint="merge levels")
        columns = rebuild(self._payload["propensity"]["design"], rows)
        known = [name for name in self.params.index if name != "Intercept"]
        predictor = columns[known].to_numpy(dtype=np.float64) @ self.params[known].to_numpy() + self.params["Intercept"]
        return pd.Series(scores(predictor), index=rows.index, name="propensity")

    def summary(self) -> str:
        """Return effect, balance and overlap in plain text."""
        p, percent = self._payload, 100 * self._payload["confidence"]
        effects = self.effects.rename(index=_LABELS).rename(columns={"low": f"[{percent:g} %", "high": "]"})
        arms = pd.DataFrame({"rows": p["arms"], "effective rows": self.effective_rows, "mean weight": p["mean_weights"],
                             f"mean {p['outcome']}": self.means, "std err": self.bse})
        worst = self.balance["after"].abs().max()
        return "\n\n".join([
            f"{_ESTIMANDS[p['estimand']]} of {said(p['treatment'], p['treated_level'])} on "
            f"{said(p['outcome'], p['event_level'])}, {self.nobs:,} rows",
            *basis_lines(p["basis"]),
            effects.to_string(float_format=lambda value: f"{value:.5g}", na_rep="-"),
            arms.to_string(float_format=lambda value: f"{value:.5g}"),
            self.balance.to_string(float_format=lambda value: f"{value:.3f}", na_rep="-"),
            f"largest standardised difference after weighting {worst:.3f} (alike: up to {ALIKE:g}); "
            f"scores truncated to {p['truncate'][0]:g} to {p['truncate'][1]:g}: "
            + ("a few" if p["truncated"] is None else f"{p['truncated']:,} rows")])

    def plot(self, ax: Any = None, kind: str = "balance") -> Any:
        """Draw ``balance`` (a Love plot) or ``overlap`` (propensity scores by arm), and return the axes.

        Raises:
            InputError: matplotlib is not installed, or no such picture.
        """
        if kind not in ("balance", "overlap"):
            raise InputError("ipw.unknown-picture", "there is no such picture", got=repr(kind)[:40],
                             expected="balance or overlap")
        axes = new_axes(ax)
        if kind == "overlap":
            width = 1.0 / len(self.overlap)
            at = (np.arange(len(self.overlap)) + 0.5) * width
            axes.bar(at, self.overlap["treated"], width=width, color="tab:red", alpha=0.6, label="treated")
            axes.bar(at, -self.overlap["control"], width=width, color="tab:blue", alpha=0.6, label="control")
            axes.set_xlabel(f"propensity score (rounded to {self._payload['minimum_count']} rows, fewer are hidden)")
            axes.set_ylabel("rows")
        else:
            shown = self.balance.dropna(subset=["before"]).iloc[::-1]
            places = np.arange(len(shown))
            axes.scatter(shown["before"].abs(), places, marker="o", facecolors="none", edgecolors="tab:red",
                         label="before weighting")
            axes.scatter(shown["after"].abs(), places, marker="o", color="tab:blue", label="after")
            axes.axvline(ALIKE, color="tab:gray", linestyle="--", linewidth=0.8)
            axes.set_yticks(places, list(shown.index))
            axes.set_xlabel("absolute standardised mean difference")
        axes.legend()
        return axes

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with the effects, JSON-ready; what has no value is None."""
        effects = {str(name): {str(key): None if math.isnan(value) else float(value) for key, value in row.items()}
                   for name, row in self.effects.to_dict(orient="index").items()}
        return {**self._payload, "effects": effects}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def _effects(self) -> pd.DataFrame:
        one, none = self.means.tolist()
        rows = {"difference": self._row(one - none, (1.0, -1.0))}
        if self._payload["binary"]:
            # By the delta method, on the scale of logarithms.
            rows["risk_ratio"] = self._row(math.log(one / none), (1.0 / one, -1.0 / none), ratio=True)
            odds = [1.0 / (risk * (1.0 - risk)) for risk in (one, none)]
            rows["odds_ratio"] = self._row(math.log(one / (1.0 - one)) - math.log(none / (1.0 - none)),
                                           (odds[0], -odds[1]), ratio=True)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "std err", "low", "high", "p"])

    def _row(self, value: float, slope: tuple[float, float], *, ratio: bool = False) -> list[float]:
        gradient = np.array(slope)
        error = math.sqrt(float(gradient @ self._covariance.to_numpy() @ gradient))
        width = NormalDist().inv_cdf(0.5 + self._payload["confidence"] / 2.0) * error
        shown = [value, value - width, value + width]
        estimate, low, high = map(math.exp, shown) if ratio else shown
        return [estimate, error, low, high, math.erfc(abs(value / error) / math.sqrt(2.0))]
