"""What a reader of a meta-analysis expects: statsmodels' names over a released payload, and a forest plot."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sealane.computations import forest
from sealane.errors import InputError

_METHODS = {"fixed": "inverse variance, fixed effect", "unweighted": "unweighted, random effects",
            "dl": "DerSimonian-Laird", "pm": "Paule-Mandel", "reml": "REML"}


class MetaResult:
    """A meta-analysis of the institutions' own models, the same at every institution.

    Attributes:
        params: effects by column: random effects where the method has them, else the fixed one (pandas Series).
        bse: their standard errors, by Hartung and Knapp where that was asked for.
        mean_effect_fe, sd_eff_w_fe: fixed effect and its standard error; None with ``method = "unweighted"``.
        mean_effect_re, sd_eff_w_re, sd_eff_w_re_hksj: random effects and their standard errors, or None.
        tau2: variance between institutions, or None.
        q: Cochran's Q, or None with ``method = "unweighted"``, which does not open it.
        q_pvalue: of Q, by the chi-square distribution of k - 1 degrees of freedom.
        i2: share of the variation that is between institutions, ``(Q - df) / Q``, at least 0.
        h2: ``Q / df``.
        k: number of institutions.
        nobs: rows used.
        institutions: each institution's own estimates (columns ``coef``, ``std err``), or None where not released.
        trace: rounds, bytes and seconds, if whoever ran it set them.
    """

    def __init__(self, payload: Mapping[str, Any]) -> None:
        from scipy.stats import chi2

        self._payload = dict(payload)
        self.k: int = payload["institutions"]
        self.nobs: int = payload["nobs"]
        self.mean_effect_fe = self._series("fixed")
        self.sd_eff_w_fe = _root(self._series("fixed_variance"))
        self.mean_effect_re = self._series("random")
        self.sd_eff_w_re = _root(self._series("random_variance"))
        self.sd_eff_w_re_hksj = _root(self._series("hartung_knapp_variance"))
        self.tau2 = self._series("tau2")
        self.q = self._series("q")
        df = self.k - 1
        self.q_pvalue = self.i2 = self.h2 = None
        if self.q is not None:
            self.q_pvalue = pd.Series(chi2.sf(self.q, df), index=self.q.index)
            self.i2 = (1.0 - df / self.q.clip(lower=df)).rename("i2")
            self.h2 = (self.q / df).rename("h2")
        chosen, error = self.mean_effect_re, self.sd_eff_w_re_hksj
        if chosen is None:
            chosen, error = self.mean_effect_fe, self.sd_eff_w_fe
        elif error is None:
            error = self.sd_eff_w_re
        assert chosen is not None
        assert error is not None
        self.params, self.bse = chosen.rename("coef"), error.rename("std err")
        self.tvalues = (self.params / self.bse).rename("t" if self._student else "z")
        self.institutions = self._institutions()
        self.trace: Any = None

    @property
    def _student(self) -> bool:
        return bool(self._payload["hartung_knapp"])

    @property
    def pvalues(self) -> pd.Series[float]:
        """Two-sided p values: normal, or Student's t with k - 1 degrees of freedom after Hartung and Knapp."""
        from scipy.stats import norm, t

        tails = t.sf(self.tvalues.abs(), self.k - 1) if self._student else norm.sf(self.tvalues.abs())
        return pd.Series(2.0 * tails, index=self.params.index, name="P")

    def conf_int(self, alpha: float | None = None) -> pd.DataFrame:
        """Return confidence limits of the effects, columns 0 and 1; ``alpha`` is 1 - the study's confidence if None."""
        from scipy.stats import norm, t

        tail = self._tail(alpha)
        width = (t.isf(tail / 2.0, self.k - 1) if self._student else norm.isf(tail / 2.0)) * self.bse
        return pd.DataFrame({0: self.params - width, 1: self.params + width})

    def prediction_interval(self, alpha: float | None = None) -> pd.DataFrame:
        """Return where the effect of a further institution would lie, columns 0 and 1.

        Source: Higgins, Thompson and Spiegelhalter (2009), J. R. Stat. Soc. A 172, eq. 12.

        Raises:
            InputError: the method has no variance between institutions, or there are fewer than three.
        """
        from scipy.stats import t

        if self.tau2 is None or self.k < 3:
            raise InputError("meta.no-prediction", "there is no prediction interval", got=self._payload["method"],
                             expected="random effects of three institutions or more")
        width = t.isf(self._tail(alpha) / 2.0, self.k - 2) * np.sqrt(self.tau2 + self.bse**2)
        return pd.DataFrame({0: self.params - width, 1: self.params + width})

    def summary_frame(self, alpha: float | None = None) -> pd.DataFrame:
        """Return one row per column: effect, error, p, limits, and heterogeneity where it is known."""
        limits = self.conf_int(alpha)
        frame = pd.DataFrame({"eff": self.params, "sd_eff": self.bse, "pvalue": self.pvalues, "ci_low": limits[0],
                              "ci_upp": limits[1]})
        for name in ("tau2", "q", "i2"):
            values = getattr(self, name)
            if values is not None:
                frame[name] = values
        return frame

    def plot(self, ax: Any = None, *, column: str | None = None, exponentiate: bool = False) -> Any:
        """Draw a forest plot and return its Axes.

        Args:
            ax: Axes to draw on; new ones if None.
            column: draw one column's effect at each institution, which only a result that releases them has; by
                default all columns' pooled effects.
            exponentiate: draw odds or rate ratios.

        Raises:
            InputError: matplotlib is not there, or institutions are not released.
        """
        limits = self.conf_int()
        pooled = pd.DataFrame({"effect": self.params, "low": limits[0], "high": limits[1]})
        if column is None:
            slopes = pooled.drop(index="Intercept", errors="ignore")
            return forest.draw(slopes, ax, title="Effects over the institutions", exponentiate=exponentiate)
        if self.institutions is None or column not in self.params.index:
            raise InputError("meta.no-forest", "this result has no estimates by institution of that column",
                             got=repr(column[:80]), expected="a column of a result with by_institution = true",
                             hint="every institution has to waive that its own contribution may become computable")
        return forest.draw(self._forest_rows(column, pooled), ax, title=column, exponentiate=exponentiate, pooled=1)

    def summary(self) -> str:
        """Return effects and heterogeneity as a table in plain text."""
        p = self._payload
        head = (f"Meta-analysis of {self.k} institutions' own models, {self.nobs:,} rows\n"
                f"{p['outcome']}: {p['family']}, {p['link']} link; {_METHODS[p['method']]}"
                + (", Hartung-Knapp" if self._student else ""))
        table = self.summary_frame().to_string(float_format=lambda value: f"{value:.4g}")
        parts = [head, table]
        if self.institutions is not None:
            parts.append(self.institutions.to_string(float_format=lambda value: f"{value:.4g}"))
        return "\n\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the payload with what follows from it, JSON-ready."""
        frame = self.summary_frame()
        return {**self._payload, "summary": {
            str(name): {str(key): float(value) for key, value in row.items()} for name, row in frame.iterrows()}}

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"

    def _series(self, key: str) -> pd.Series[float] | None:
        values = self._payload[key]
        if values is None:
            return None
        return pd.Series(values, index=self._payload["columns"], dtype=np.float64, name=key)

    def _institutions(self) -> pd.DataFrame | None:
        released = self._payload["by_institution"]
        if released is None:
            return None
        columns = self._payload["columns"]
        index = pd.MultiIndex.from_tuples([(one["name"], column) for one in released for column in columns],
                                          names=["institution", "column"])
        return pd.DataFrame({"coef": [value for one in released for value in one["params"]],
                             "std err": np.sqrt([value for one in released for value in one["variance"]])}, index=index)

    def _forest_rows(self, column: str, pooled: pd.DataFrame) -> pd.DataFrame:
        from scipy.stats import norm

        assert self.institutions is not None
        own = self.institutions.xs(column, level="column")
        width = norm.isf(self._tail(None) / 2.0) * own["std err"]
        rows = pd.DataFrame({"effect": own["coef"], "low": own["coef"] - width, "high": own["coef"] + width})
        return pd.concat([rows, pooled.loc[[column]].rename(index={column: "all institutions"})])

    def _tail(self, alpha: float | None) -> float:
        tail = 1.0 - float(self._payload["confidence"]) if alpha is None else alpha
        if not 0.0 < tail < 1.0:
            raise InputError("meta.alpha", "alpha lies between 0 and 1", got=alpha)
        return tail


def _root(values: pd.Series[float] | None) -> pd.Series[float] | None:
    return None if values is None else pd.Series(np.sqrt(values), index=values.index)
