"""Kaplan-Meier curves as a reader of the field expects them: lifelines' names over released counts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.outcome import said
from sealane.computations.promise import told
from sealane.computations.survival.curves import Curve, estimate
from sealane.computations.survival.ladders import GroupCounts, read_group
from sealane.computations.survival.log_rank import LogRank, log_rank
from sealane.computations.survival.private_counts import read_private, variance_of_noise
from sealane.errors import InputError


class KaplanMeierResult:
    """Survival curves of one or several groups on one grid of times.

    Attributes:
        survival_function_: one column per group, index time.
        confidence_interval_: log-log band, columns ``group_lower_0.95`` and ``group_upper_0.95``.
        variance_: Greenwood's variance of the survival function.
        median_survival_time_: of the one group, or a Series by group; infinite where half is not reached.
        median_confidence_interval_: where the band's limits reach one half, a row per group.
        event_table: removed, observed, censored, entrance and at_risk by time (and group, if there are several).
        logrank_: test over all shown groups, or None.
        grid: resolution, and how many grid times were merged into others and why.
        widest: beginning and end of the widest merged interval of events, by group; none where counts carry noise.
        hidden: the rule that hides each hidden group.
        promise: epsilon, delta, and the standard error of each count, if the counts carry noise. Then the bands take
            the noise in, and groups are not tested.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.grid: dict[str, Any] = dict(payload["grid"])
        self.hidden: dict[str, str] = dict(payload["hidden"])
        self._single = payload["by"] is None
        self.promise: dict[str, Any] | None = payload["promise"]
        self._groups = {("KM_estimate" if self._single else name): self._read(group)
                        for name, group in payload["groups"].items()}
        self.widest = {name: (group["widest"][0], group["widest"][1]) for name, group in
                       zip(self._groups, payload["groups"].values(), strict=True) if group.get("widest")}
        level = float(payload["confidence"])
        self._curves = {name: self._curve(group, level) for name, group in self._groups.items()}
        index = pd.Index(np.unique(np.concatenate([[0.0], *(c.times for c in self._curves.values())])), name="timeline")
        curves = self._curves.items()
        self.survival_function_ = pd.DataFrame({n: c.on(c.survival, index) for n, c in curves}, index=index)
        self.variance_ = pd.DataFrame({n: c.on(c.variance, index) for n, c in curves}, index=index)
        self.confidence_interval_ = pd.DataFrame({f"{name}_{end}_{level:g}": curve.on(getattr(curve, end), index)
                                                  for name, curve in curves for end in ("lower", "upper")}, index=index)
        self.median_survival_time_ = self.percentile(0.5)
        self.median_confidence_interval_ = pd.DataFrame(
            {"lower": [c.first_at_or_under(c.lower, 0.5) for c in self._curves.values()],
             "upper": [c.first_at_or_under(c.upper, 0.5) for c in self._curves.values()]}, index=list(self._curves))
        tables = {name: group.table() for name, group in self._groups.items()}
        self.event_table = (next(iter(tables.values())) if self._single
                            else pd.concat(tables, names=[str(payload["by"]), "event_at"]))
        self.logrank_: LogRank | None = self._test(list(self._groups))
        self.trace: Any = None

    def percentile(self, p: float) -> Any:
        """Return the first time at which at most ``p`` are without the event, of the one group or by group."""
        if not 0.0 < p < 1.0:
            raise InputError("survival.percentile", "a share lies between 0 and 1", got=p)
        found = {name: curve.first_at_or_under(curve.survival, p) for name, curve in self._curves.items()}
        return next(iter(found.values())) if self._single else pd.Series(found, name=f"time to {p:g}")

    def at_risk(self, times: Sequence[float]) -> pd.DataFrame:
        """Return how many rows of each group are at risk at some times: just before what happens there."""
        asked = np.asarray(times, dtype=np.float64)
        asked = asked - 1e-9 * np.maximum(1.0, np.abs(asked))  # so that 1.1 is 11 times 0.1
        counts = {name: group.at_risk(asked).round().astype(np.int64) for name, group in self._groups.items()}
        return pd.DataFrame(counts, index=pd.Index(list(times), name="timeline"))

    def pairwise_logrank(self) -> pd.DataFrame:
        """Return the test of each two shown groups, p values as they are, not adjusted for their number."""
        rows = {}
        for pair in combinations(self._groups, 2):
            test = self._test(list(pair))
            rows[pair] = [np.nan, np.nan] if test is None else [test.test_statistic, test.p_value]
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["test_statistic", "p"])
        return frame if frame.empty else frame.set_index(pd.MultiIndex.from_tuples(rows))

    def summary(self) -> str:
        """Return rows, events and medians by group, and the test, in plain text."""
        frame = pd.DataFrame({
            "rows": [round(group.rows) for group in self._groups.values()],
            "events": [round(group.events.numbers.sum()) for group in self._groups.values()],
            "median": [curve.first_at_or_under(curve.survival, 0.5) for curve in self._curves.values()],
            "lower": self.median_confidence_interval_["lower"].to_numpy(),
            "upper": self.median_confidence_interval_["upper"].to_numpy()}, index=list(self._groups))
        grid = self.grid
        unit = f" {grid['unit']}" if grid["unit"] else ""
        lines = [f"Kaplan-Meier over the cohort, event {said(self._payload['event'], self._payload['event_level'])}; "
                 f"medians with {self._payload['confidence']:.0%} limits",
                 frame.to_string(float_format=lambda value: f"{value:.6g}"),
                 f"grid of {grid['resolution']:g}{unit} (chosen by the {grid['chosen_by']})"
                 + (f", {grid['merged']} times merged into others (minimum-count)" if grid["merged"] else "")]
        lines += [f"widest interval of events, {name}: {begin:.6g} to {end:.6g}{unit}"
                  for name, (begin, end) in self.widest.items()]
        if self.logrank_ is not None:
            test = self.logrank_
            lines.append(f"log-rank: chi2 {test.test_statistic:.4g} on {test.degrees_of_freedom}, p {test.p_value:.4g}")
        lines += [f"hidden: {name} ({rule})" for name, rule in self.hidden.items()]
        lines += [told(self.promise)] if self.promise is not None else []
        return "\n".join(lines)

    def plot(self, ax: Any = None, *, at_risk: bool = True) -> Any:
        """Draw the curves with their bands, and the numbers at risk under the axis; return the Axes.

        Raises:
            InputError: matplotlib is not installed.
        """
        from sealane.computations.survival.pictures import draw_curves

        return draw_curves(self, ax, at_risk=at_risk)

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves by group."""
        return dict(self._curves)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        curves = {name: {"times": c.times.tolist(), "survival": c.survival.tolist(), "lower": c.lower.tolist(),
                         "upper": c.upper.tolist(), "median": _finite(c.first_at_or_under(c.survival, 0.5))}
                  for name, c in self._curves.items()}
        test = self.logrank_
        return {**self._payload, "curves": curves, "logrank": None if test is None else {
            "test_statistic": test.test_statistic, "degrees_of_freedom": test.degrees_of_freedom,
            "p_value": test.p_value, "observed": test.observed, "expected": test.expected}}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def _read(self, group: Mapping[str, Any]) -> GroupCounts:
        if self.promise is None:
            return read_group(group)
        return read_private(group, np.array(self._payload["times"], dtype=np.float64))

    def _curve(self, group: GroupCounts, level: float) -> Curve:
        times = group.times
        at_risk, events = group.at_risk(times), group.events.on(times)
        noise = None
        if self.promise is not None:
            noise = variance_of_noise(at_risk, events, self.promise["standard_error"])
        return estimate(times, at_risk, events, level, noise)

    def _test(self, names: list[str]) -> LogRank | None:
        if self.promise is not None:
            return None
        times, until = (np.array(self._payload["shared"][name], dtype=np.float64) for name in ("times", "until"))
        groups = [self._groups[name] for name in names]
        events = [group.shared(times, until) for group in groups]
        at_risk = [group.at_risk(times, steps) for group, steps in zip(groups, events, strict=True)]
        return log_rank(names, np.array(at_risk), np.array([steps.numbers for steps in events]))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
