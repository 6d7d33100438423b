"""A released test under the names that scipy gives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations.disclosure import rule_lines
from sealane.computations.statistics.chi_square import chi_square

EFFECTS = ("eta_squared", "rank_biserial", "epsilon_squared")


class ComparisonResult:
    """A test of groups.

    Attributes:
        method: as asked for.
        statistic: t, F, U of the first group, H, or chi-square.
        df: degrees of freedom: one number, two for F, None for U.
        pvalue: two-sided for t and U; the upper tail for the others.
        groups: by group n, mean and standard deviation (the latter two for t and anova); hidden ones are NaN.
        rules: by group, the rule that hid its numbers; None where they are shown.
        difference: of the two means; NaN where they are hidden or the test has none.
        confidence_interval: of the difference, lower and upper.
        effect: name and size of the effect: ``rank_biserial``, ``eta_squared``, ``epsilon_squared``, ``cramers_v``, or
            ``cohens_d`` (pooled deviation) where both groups are shown.
        grid: width of the first cells within which values share a rank, finer where rows crowd; 0 where every integer
            has a cell, None for other tests.
        counts: for chi2 the table of outcome by group.
        basis: by group, how many institutions have rows of it, where not all have; not for chi2.
        left_out: rows in no group or without an outcome; None where that would tell too much.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        self._payload = dict(payload)
        self.method: str = payload["method"]
        self.left_out: int | None = payload["left_out"]
        self.basis: dict[str, int] = {
            group: number for group, number in zip(payload["groups"], payload["contributing"] or [], strict=False)
            if number != payload["institutions"]}
        self.grid: float | None = payload.get("grid")
        names = pd.Index(payload["groups"], name=payload["by"])
        self.counts: pd.DataFrame | None = None
        self.difference, self.confidence_interval = math.nan, (math.nan, math.nan)
        self.effect: dict[str, float] = {name: payload[name] for name in EFFECTS if name in payload}
        if self.method == "chi2":
            self.counts = pd.DataFrame(payload["counts"], columns=names,
                                       index=pd.Index(payload["levels"], name=payload["outcome"]))
            self._from_table(payload)
            self.groups = self.counts.sum(axis=0).to_frame("n")
            self.rules: list[str | None] = [None] * len(names)
        else:
            self.statistic: float = payload["statistic"]
            df = payload["df"]
            self.df: Any = None if not df else df[0] if len(df) == 1 else tuple(df)
            self.pvalue = _tail(self.method, self.statistic, df, payload.get("z"))
            self.rules = list(payload["rules"])
            self.groups = pd.DataFrame({name: payload[name] for name in ("n", "mean", "std") if name in payload},
                                       index=names, dtype=np.float64)
            if payload.get("difference") is not None:
                self._two_means(payload)
        self.trace: Any = None

    def _from_table(self, payload: Mapping[str, Any]) -> None:
        found = chi_square(np.array(payload["counts"], dtype=np.float64), payload["correction"])
        self.statistic = math.nan if found is None else found.statistic
        self.df = None if found is None else float(found.dof)
        self.pvalue = math.nan if found is None else found.pvalue
        self.effect = {} if found is None else {"cramers_v": found.cramers_v}

    def _two_means(self, payload: Mapping[str, Any]) -> None:
        from scipy.stats import t

        self.difference = payload["difference"]
        reach = float(t.ppf(0.5 + payload["confidence"] / 2.0, self.df)) * payload["standard_error"]
        self.confidence_interval = (self.difference - reach, self.difference + reach)
        n, std = self.groups["n"].to_numpy(), self.groups["std"].to_numpy()
        pooled = math.sqrt(float(((n - 1) * std**2).sum() / (n.sum() - 2)))
        self.effect = {"cohens_d": self.difference / pooled}

    def summary(self) -> str:
        """Return the test in plain text."""
        df = "" if self.df is None else f", df {self.df:.6g}" if isinstance(self.df, int | float) else (
            f", df {self.df[0]:.0f} and {self.df[1]:.0f}")
        lines = [f"{self.method} of {self._payload['outcome']} by {self._payload['by']}: "
                 f"statistic {self.statistic:.6g}{df}, p {self.pvalue:.4g}",
                 *(f"{name.replace('_', ' ')} {size:.4g}" for name, size in self.effect.items())]
        if not math.isnan(self.difference):
            low, high = self.confidence_interval
            lines.append(f"difference {self.difference:.6g}, {self._payload['confidence']:.0%} interval {low:.6g} to "
                         f"{high:.6g}")
        if self.grid:
            lines.append(f"ranks on a grid of width {self.grid:.3g}, finer where rows crowd")
        lines += [f"{group}: rows at {number} of {self._payload['institutions']} institutions"
                  for group, number in self.basis.items()]
        table = self.groups if self.counts is None else self.counts
        parts = ["\n".join(lines), table.to_string(na_rep="hidden", float_format=lambda v: f"{v:.6g}"),
                 *rule_lines(self.rules)]
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload, and what follows from it."""
        low, high = (None if math.isnan(one) else one for one in self.confidence_interval)
        df = list(self.df) if isinstance(self.df, tuple) else [] if self.df is None else [self.df]
        return self._payload | {"statistic": None if math.isnan(self.statistic) else self.statistic, "df": df,
                                "pvalue": None if math.isnan(self.pvalue) else self.pvalue,
                                "confidence_interval": [low, high], "effect": dict(self.effect)}

    def __repr__(self) -> str:
        return self.summary()


def _tail(method: str, statistic: float, df: list[float], z: float | None) -> float:
    from scipy.stats import chi2, f, norm, t

    match method:
        case "t":
            return float(2.0 * t.sf(abs(statistic), df[0]))
        case "anova":
            return float(f.sf(statistic, *df))
        case "kruskal":
            return float(chi2.sf(statistic, df[0]))
        case _:
            assert z is not None
            return min(float(2.0 * norm.sf(z)), 1.0)
