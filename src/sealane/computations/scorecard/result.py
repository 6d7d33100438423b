"""The card: bins, points, scores with their reasons, and the regression behind it."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pandas as pd

from sealane.computations.glm.links import LINKS
from sealane.computations.metrics.scoring_model import model_of
from sealane.computations.picture import new_axes
from sealane.computations.scorecard.places import labels, places
from sealane.errors import InputError


class ScorecardResult:
    """A scorecard, the same at every institution. More points mean better odds of no event.

    Attributes:
        bins: a DataFrame of every bin of every feature that tells anything: ``rows``, ``share``, ``events``,
            ``others``, ``event_rate``, ``woe``, ``iv``, by feature and bin.
        iv: information value by feature, the largest first; features of one bin have none.
        vif: variance inflation by feature, as it was dropped or at the end; infinite where others determine it.
        dropped: why each feature that is not used is not: ``one-bin``, ``iv``, ``vif`` or ``stepwise``.
        steps: a DataFrame of the changes that Akaike's criterion led to.
        params: coefficients of the weights of evidence (pandas Series).
        bse: standard errors.
        pvalues: two-sided p values of the normal distribution.
        points: a DataFrame: points of each bin of the features that are used, rounded or not as the study says.
        offset, factor: score = offset + factor × ln(odds of no event).
        deviance, null_deviance, llf, aic, nobs: as of a logistic regression.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        names = list(p["columns"])
        self.params = pd.Series(p["params"], index=names, dtype=np.float64, name="coef")
        self._covariance = pd.DataFrame(p["covariance"], index=names, columns=names, dtype=np.float64)
        self.bse = pd.Series(np.sqrt(np.diag(self._covariance.to_numpy())), index=names, name="std err")
        tails = [math.erfc(abs(z) / math.sqrt(2.0)) for z in (self.params / self.bse).tolist()]
        self.pvalues = pd.Series(tails, index=names, name="P>|z|", dtype=np.float64)
        features = p["features"]
        self._used = [one for one in features if one["used"]]
        self.iv = pd.Series({one["name"]: one["iv"] for one in features}, dtype=np.float64,
                            name="iv").sort_values(ascending=False, kind="stable")
        self.vif = pd.Series({one["name"]: math.inf if one["vif"] is None else one["vif"] for one in features
                              if one["reason"] in (None, "vif", "stepwise")}, dtype=np.float64, name="vif")
        self.dropped: dict[str, str] = {one["name"]: one["reason"] for one in features if not one["used"]}
        self.steps = pd.DataFrame(p["steps"], columns=["feature", "entered", "aic"])
        self.deviance: float = p["deviance"]
        self.null_deviance: float = p["null_deviance"]
        self.llf: float = p["llf"]
        self.aic: float = p["aic"]
        self.nobs: int = p["nobs"]
        scaling = p["scaling"]
        self.factor: float = scaling["pdo"] / math.log(2.0)
        self.offset: float = scaling["base_score"] - self.factor * math.log(scaling["base_odds"])
        self.bins = self._bins()
        self._given: dict[str, list[float]] = {}
        self.points = self._points()
        self.trace: Any = None

    def conf_int(self) -> pd.DataFrame:
        """Return normal confidence limits of the coefficients, columns 0 and 1."""
        width = NormalDist().inv_cdf(0.5 + float(self._payload["confidence"]) / 2.0) * self.bse
        return pd.DataFrame({0: self.params - width, 1: self.params + width})

    def score(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the points of new rows.

        Raises:
            InputError: a column is missing, or a level is none that the card knows.
        """
        return pd.Series(self._by_feature(rows).sum(axis=1), name="score")

    def predict(self, rows: pd.DataFrame) -> pd.Series[float]:
        """Return the probability of the event of new rows, from the regression and not from rounded points.

        Raises:
            InputError: as :meth:`score`.
        """
        predictor = np.full(len(rows), float(self.params["Intercept"]))
        for one in self._used:
            woe = np.array([part["woe"] for part in one["bins"]])
            predictor += float(self.params[one["name"]]) * woe[places(one, rows)]
        return pd.Series(LINKS["logit"].mean(predictor), index=rows.index, name=self._payload["outcome"])

    def reasons(
        self, rows: pd.DataFrame, n: int = 3, *, against: Literal["maximum", "neutral"] = "maximum"
    ) -> pd.DataFrame:
        """Return the features that cost each row most points, the worst first, None where nothing is lost.

        Args:
            rows: new rows.
            n: how many reasons.
            against: ``maximum``, the best bin of the feature; ``neutral``, its mean points over the rows of the card.

        Raises:
            InputError: as :meth:`score`; or ``against`` is neither.
        """
        if against not in ("maximum", "neutral"):
            raise InputError("scorecard.against", "points are lost against one of two", got=repr(against)[:40],
                             expected="maximum or neutral")
        own = self._by_feature(rows)
        best = [max(self._given[name]) if against == "maximum" else self._mean_points(name) for name in own.columns]
        lost = np.array(best) - own.to_numpy(dtype=np.float64)
        order = np.argsort(-lost, axis=1, kind="stable")[:, :n]
        named = np.array(own.columns, dtype=object)[order]
        named[np.take_along_axis(lost, order, axis=1) <= 0.0] = None
        return pd.DataFrame(named, index=rows.index, columns=[f"reason_{k + 1}" for k in range(order.shape[1])])

    @property
    def model(self) -> dict[str, Any]:
        """What ``metrics.ranking`` and ``monitor.drift`` take as ``model``: the card as plain parameters."""
        return model_of(self)

    def plot(self, ax: Any = None, feature: str | None = None) -> Any:
        """Draw the information values, or the weights of evidence of one feature's bins; return the Axes.

        Raises:
            InputError: matplotlib is not installed, or there is no such feature.
        """
        if feature is not None and feature not in self.bins.index.get_level_values("feature"):
            raise InputError("scorecard.unknown-feature", "the card has no bins of this feature",
                             got=repr(feature)[:80], expected=f"one of {', '.join(self.iv.dropna().index)[:200]}")
        ax = new_axes(ax)
        bars = {one["name"]: one["iv"] for one in self._payload["features"] if one["iv"] is not None}
        bars = dict(sorted(bars.items(), key=lambda bar: -bar[1]))
        for one in self._payload["features"]:
            if one["name"] == feature:
                bars = dict(zip(labels(one), (part["woe"] for part in one["bins"]), strict=True))
        ax.barh(list(bars)[::-1], list(bars.values())[::-1])
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set_xlabel("information value" if feature is None else "weight of evidence")
        if feature is not None:
            ax.set_title(feature)
        return ax

    def summary(self) -> str:
        """Return the card in plain text."""
        p, scaling = self._payload, self._payload["scaling"]
        lines = [f"Scorecard of {p['outcome']} over the cohort: {self.nobs:,} rows, {p['events']:,} events",
                 f"{scaling['base_score']:g} points at odds of {scaling['base_odds']:g} to 1, "
                 f"{scaling['pdo']:g} double them; AIC {self.aic:.6g}", ""]
        table = self.bins.join(self.points["points"], how="inner")
        lines.append(table[["rows", "event_rate", "woe", "points"]].to_string(
            float_format=lambda value: f"{value:.4g}"))
        lines += ["", pd.DataFrame({"coef": self.params, "std err": self.bse, "P>|z|": self.pvalues,
                                    "iv": self.iv.reindex(self.params.index),
                                    "vif": self.vif.reindex(self.params.index)}).to_string(
            na_rep="", float_format=lambda value: f"{value:.4g}")]
        if self.dropped:
            lines += ["", "not used: " + ", ".join(f"{name} ({why})" for name, why in self.dropped.items())]
        if p["untried"]:
            lines.append(f"{p['untried']} changes could not be tried: their models have no maximum nearby")
        wrong = [name for name in self.params.index[1:] if self.params[name] > 0.0]
        if wrong:
            lines.append(f"sign against its own bins: {', '.join(wrong)}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        points = [{"feature": one["name"], "bin": label, "points": float(value)} for one in self._used
                  for label, value in zip(labels(one), self._given[one["name"]], strict=True)]
        return {**self._payload, "points": points, "offset": self.offset, "factor": self.factor,
                "standard_errors": {str(name): float(value) for name, value in self.bse.items()},
                "p_values": {str(name): float(value) for name, value in self.pvalues.items()}}

    def _bins(self) -> pd.DataFrame:
        index, out = [], []
        for one in self._payload["features"]:
            for label, part in zip(labels(one) if one["bins"] else [], one["bins"], strict=True):
                rows = part["events"] + part["others"]
                index.append((one["name"], label))
                out.append([rows, rows / self.nobs, part["events"], part["others"], part["events"] / rows,
                            part["woe"], part["iv"]])
        return pd.DataFrame(out, index=pd.MultiIndex.from_tuples(index, names=["feature", "bin"]), columns=[
            "rows", "share", "events", "others", "event_rate", "woe", "iv"]).astype(
                {"rows": int, "events": int, "others": int})

    def _points(self) -> pd.DataFrame:
        """Spread offset and intercept evenly over features. Source: Siddiqi (2006), Credit Risk Scorecards, ch. 6."""
        base = (self.offset - self.factor * float(self.params["Intercept"])) / len(self._used)
        rounded = self._payload["scaling"]["round_points"]
        out: dict[tuple[str, str], tuple[float, float]] = {}
        for one in self._used:
            slope = self.factor * float(self.params[one["name"]])
            exact = [base - slope * part["woe"] for part in one["bins"]]
            given = [math.floor(points + 0.5) if rounded else points for points in exact]
            self._given[one["name"]] = given
            out |= {(one["name"], label): pair
                    for label, pair in zip(labels(one), zip(given, exact, strict=True), strict=True)}
        table = pd.DataFrame(list(out.values()), columns=["points", "exact"],
                             index=pd.MultiIndex.from_tuples(list(out), names=["feature", "bin"]))
        return table.astype({"points": int}) if rounded else table

    def _by_feature(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the points that each row gets for each feature."""
        return pd.DataFrame({one["name"]: np.array(self._given[one["name"]])[places(one, rows)]
                             for one in self._used}, index=rows.index)

    def _mean_points(self, name: str) -> float:
        bins = next(one["bins"] for one in self._used if one["name"] == name)
        rows = [part["events"] + part["others"] for part in bins]
        return math.fsum(n * points for n, points in zip(rows, self._given[name], strict=True)) / self.nobs

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"
