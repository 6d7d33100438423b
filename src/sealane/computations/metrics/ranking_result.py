"""Curves and tables of a judged score, under the names that scikit-learn's readers know."""

from __future__ import annotations

import html
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from sealane.computations.picture import new_axes
from sealane.errors import InputError

Kind = Literal["roc", "gain", "ks", "calibration"]


class Ranking:
    """How well a score ranks, predicts and treats groups alike.

    Attributes:
        auc, gini: area under the ROC curve, scores between two cuts tied; 2 AUC - 1. None where ``unranked`` says why.
        auc_se: standard error of the AUC by DeLong's method, or None.
        auc_error: how far the AUC of the scores themselves can be from it.
        ks, ks_error, ks_threshold: largest distance between the shares of events and of others at a cut, how much
            larger it can be for the scores themselves, and where it lies; None where ``unranked`` says why.
        unranked: why nothing can be told of the ranking, or None.
        roc: a DataFrame: ``fpr``, ``tpr``, ``threshold`` at every cut that may be shown.
        bands: a DataFrame by band of scores, riskiest first: rows, events, rates, lift, gain and, of probabilities, the
            mean prediction and how far it can be off.
        confusion: a DataFrame by threshold: counts, rates, precision, accuracy; hidden ones are NaN, with their rule.
        calibration: ``intercept`` and ``slope`` of a logistic regression on the logit, their standard ``errors``, and
            by how much they can be ``moved`` (to first order) by where scores lie between cuts; ``mean`` prediction and
            ``brier``'s score with ``mean_error`` and ``brier_error``, the most they can be off; ``event_rate``. None of
            scores that are no probabilities.
        brier: Brier's score, or None.
        fairness: a DataFrame by group and threshold; ``fairness_gaps``: the largest differences between shown groups.
        suppressed: the rule that hides a threshold or group, by its name.
        nobs: rows used.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = p = dict(payload)
        self.auc: float | None = p["auc"]
        self.gini = None if self.auc is None else 2.0 * self.auc - 1.0
        self.auc_se: float | None = p["auc_se"]
        self.auc_error: float = p["auc_error"]
        self.unranked: str | None = p["unranked"]
        self.ks: float | None = p["ks"]
        self.ks_error: float = p["ks_error"]
        self.ks_threshold: float | None = p["ks_at"]
        self.nobs: int = p["nobs"]
        self.events: int = p["events"]
        roc = p["roc"]
        self.roc = pd.DataFrame({
            "fpr": np.array(roc["others"]) / (self.nobs - self.events), "tpr": np.array(roc["events"]) / self.events,
            "threshold": [np.nan if edge is None else edge for edge in roc["thresholds"]]})
        self.calibration: dict[str, Any] | None = p["calibration"] and {
            key: value for key, value in p["calibration"].items() if key != "bands"} | {
                "event_rate": self.events / self.nobs}
        self.brier: float | None = None if self.calibration is None else self.calibration["brier"]
        self.bands = self._bands()
        self.confusion = pd.DataFrame([{"threshold": one["threshold"], **_rates(one), "rule": one["rule"]}
                                       for one in p["thresholds"]],
                                      columns=["threshold", *_RATES, "rule"]).set_index("threshold")
        at = [{"group": one["group"], "threshold": row["threshold"], **_rates(row)}
              for one in p["groups"] for row in one["at"]]
        self.fairness = pd.DataFrame(at, columns=["group", "threshold", *_RATES]).set_index(["group", "threshold"])
        rates = self.fairness[["selection_rate", "tpr", "fpr", "precision"]].astype(np.float64)
        by = rates.groupby(level="threshold")
        self.fairness_gaps = by.max() - by.min()
        self.suppressed: dict[str, str] = {
            **{str(one["threshold"]): one["rule"] for one in p["thresholds"] if one["rule"]},
            **{one["group"]: one["rule"] for one in p["groups"] if one["rule"]}}
        self.trace: Any = None

    def _bands(self) -> pd.DataFrame:
        roc, chosen = self._payload["roc"], self._payload["bands"]
        out, rate = [], self.events / self.nobs
        rising = self._payload["higher"] == "event"
        for place, (a, b) in enumerate(pairwise(chosen)):
            events, others = roc["events"][b] - roc["events"][a], roc["others"][b] - roc["others"][a]
            rows = events + others
            ends = [roc["thresholds"][b], roc["thresholds"][a]] if rising else [
                roc["thresholds"][a], roc["thresholds"][b]]
            gain = roc["events"][b] / self.events
            reached = (roc["events"][b] + roc["others"][b]) / self.nobs
            held = self._payload["calibration"]["bands"][place] if self.calibration else {"mean": None, "error": None}
            out.append([*ends, rows, events, events / rows, events / rows / rate, reached, gain, gain / reached,
                        held["mean"], held["error"]])
        return pd.DataFrame(out, columns=["from", "to", "rows", "events", "event_rate", "lift", "reached", "gain",
                                          "cumulative_lift", "mean_score", "mean_error"], dtype=object).astype(
            {"rows": int, "events": int}).astype(dict.fromkeys(
                ["from", "to", "event_rate", "lift", "reached", "gain", "cumulative_lift", "mean_score",
                               "mean_error"], np.float64))

    def plot(self, ax: Any = None, kind: Kind = "roc") -> Any:
        """Draw the ROC curve, gains, the two shares whose distance is KS, or the calibration curve; return the Axes.

        Raises:
            InputError: matplotlib is not installed, or there is no such picture.
        """
        if kind not in ("roc", "gain", "ks", "calibration") or (kind == "calibration" and self.calibration is None):
            raise InputError("metrics.no-picture", "there is no such picture of this score", got=repr(kind)[:40],
                             expected="roc, gain, ks, or of probabilities calibration")
        ax = new_axes(ax)
        if kind == "ks":
            share = np.linspace(0.0, 1.0, len(self.roc))
            ax.plot(share, self.roc["tpr"], label="events")
            ax.plot(share, self.roc["fpr"], label="others")
            ax.set_xlabel("cut, riskiest first")
            ax.legend()
            return ax
        columns = {"roc": ("fpr", "tpr"), "gain": ("reached", "gain"), "calibration": ("mean_score", "event_rate")}
        x, y = columns[kind]
        table = self.roc if kind == "roc" else self.bands
        ax.plot(table[x], table[y], marker="" if kind == "roc" else "o")
        ax.plot([0.0, 1.0], [0.0, 1.0], linestyle="--", linewidth=0.8, color="grey")
        ax.set_xlabel(x.replace("_", " "))
        ax.set_ylabel(y.replace("_", " "))
        if kind == "roc":
            ax.set_title(self.unranked or f"AUC {self.auc:.4f}")
        return ax

    def summary(self) -> str:
        """Return numbers and tables in plain text."""
        lines = [f"{self._payload['score']} against {self._payload['outcome']}: {self.nobs:,} rows, "
                 f"{self.events:,} events",
                 f"no AUC and KS: {self.unranked}" if self.unranked else
                 f"AUC {self.auc:.4f} (s.e. {self.auc_se:.2g}, cuts +- {self.auc_error:.2g}), Gini {self.gini:.4f}, "
                 f"KS {self.ks:.4f} (+ {self.ks_error:.2g})"]
        if self.calibration is not None:
            found = self.calibration
            fitted = found["refused"] or (
                f"intercept {found['intercept']:.4f} (cuts +- {found['moved'][0]:.2g}), "
                f"slope {found['slope']:.4f} (+- {found['moved'][1]:.2g})")
            lines += [f"calibration: {fitted}",
                      f"mean {found['mean']:.4f} (+- {found['mean_error']:.2g}) against {found['event_rate']:.4f}, "
                      f"Brier {found['brier']:.4f} (+- {found['brier_error']:.2g})"]
        tables = [self.bands, self.confusion, self.fairness]
        lines += ["\n" + table.to_string(na_rep="", float_format=lambda value: f"{value:.4g}")
                  for table in tables if len(table)]
        lines += [f"{name}: hidden by {rule}" for name, rule in self.suppressed.items()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        return {**self._payload, "gini": self.gini}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


_RATES = ("tp", "fp", "fn", "tn", "selection_rate", "tpr", "fpr", "precision", "accuracy")


def _rates(at: Mapping[str, Any]) -> dict[str, float]:
    """Return the counts at a threshold with what follows; NaN where there is none, or nothing to divide by."""
    if at["tp"] is None:
        return dict.fromkeys(_RATES, np.nan)
    tp, fp, fn, tn = (at[name] for name in ("tp", "fp", "fn", "tn"))

    def share(part: int, whole: int) -> float:
        return part / whole if whole else np.nan

    return {"tp": tp, "fp": fp, "fn": fn, "tn": tn, "selection_rate": share(tp + fp, tp + fp + fn + tn),
            "tpr": share(tp, tp + fn), "fpr": share(fp, fp + tn), "precision": share(tp, tp + fp),
            "accuracy": share(tp + tn, tp + fp + fn + tn)}
