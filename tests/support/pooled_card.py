"""The recipe of a scorecard on pooled rows, with pandas, scikit-learn, scipy and statsmodels."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import chi2_contingency
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.outliers_influence import variance_inflation_factor


@dataclass
class Pooled:
    """What the recipe gives: a table of bins by feature, WOE columns, and the fit on those that are left."""

    tables: dict[str, pd.DataFrame]
    woe: pd.DataFrame
    vif: dict[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)
    fit: Any = None

    @property
    def iv(self) -> dict[str, float]:
        return {name: table.iv.sum() for name, table in self.tables.items()}


def chi2(a: Any, b: Any) -> float:
    table = np.array([a, b], dtype=float)
    return 0.0 if (table.sum(axis=0) == 0).any() else chi2_contingency(table, correction=False).statistic


def join(bins: list[Any], k: int) -> None:
    bins[k : k + 2] = [(bins[k][0] + bins[k + 1][0], bins[k][1] + bins[k + 1][1])]


def rate(one: Any) -> float:
    return one[1][0] / sum(one[1])


def coarse(bins: list[Any], m: int, least: float, most: int, threshold: float | None) -> list[Any]:
    """Merge ([fine places], array(events, others)) until every bin may stand."""
    while len(bins) > 1:
        bad = [k for k, (_, n) in enumerate(bins) if min(n) < m or sum(n) < least]
        if not bad:
            break
        k = bad[0]
        near = min((abs(rate(bins[j]) - rate(bins[k])), j) for j in (k - 1, k + 1) if 0 <= j < len(bins))[1]
        join(bins, min(k, near))
    while len(bins) > 1:
        found = [chi2(a[1], b[1]) for a, b in pairwise(bins)]
        if len(bins) <= most and (threshold is None or min(found) >= threshold):
            break
        join(bins, int(np.argmin(found)))
    return bins


def isotonic(bins: list[Any]) -> list[Any]:
    rates, rows = [rate(one) for one in bins], [sum(one[1]) for one in bins]
    fits = [IsotonicRegression(increasing=up).fit_transform(range(len(bins)), rates, sample_weight=rows)
            for up in (True, False)]
    losses = [np.average((fit - rates) ** 2, weights=rows) for fit in fits]
    fit = fits[0] if losses[0] <= losses[1] else fits[1]
    out: list[Any] = []
    for k, one in enumerate(bins):
        out.append(one)
        if k and abs(fit[k] - fit[k - 1]) < 1e-12:
            join(out, len(out) - 2)
    return out


def bin_feature(series: pd.Series, y: np.ndarray, method: str, m: int, *, fine: int, most: int, share: float,
                threshold: float) -> np.ndarray:
    """Return each row's coarse bin."""
    known = series.notna().to_numpy()
    number = pd.api.types.is_numeric_dtype(series)
    if number:
        parts = most if method == "quantile" else fine
        edges = np.unique(np.quantile(series[known], np.arange(1, parts) / parts))
        places = np.searchsorted(edges, series, side="left")
    else:
        places = pd.factorize(series, sort=True)[0]

    def counts(where: Any) -> Any:
        return np.array([(where & (y == 1)).sum(), (where & (y == 0)).sum()])

    bins = [([k], counts(known & (places == k))) for k in sorted(set(places[known]))]
    if number:
        bins = isotonic(bins) if method == "monotone" else bins
    else:
        rare = [one for one in bins if min(one[1]) < m]
        bins = [one for one in bins if min(one[1]) >= m]
        if rare:
            bins.append(([place for one in rare for place in one[0]], sum(one[1] for one in rare)))
        bins.sort(key=rate)
    bins = coarse(bins, m, share * len(y), most, threshold if method == "chi-merge" else None)
    out = np.zeros(len(y), dtype=int)
    for k, (fine_places, _) in enumerate(bins):
        out[known & np.isin(places, fine_places)] = k
    if min(counts(~known)) >= m:
        out[~known] = len(bins)
    else:
        whole = counts(known)[0] / known.sum()
        out[~known] = int(np.argmin([abs(rate(one) - whole) for one in bins]))
    return out


def pooled_card(rows: pd.DataFrame, outcome: str, features: list[str], *, method: str = "monotone", m: int = 10,
                fine: int = 20, most: int = 6, share: float = 0.05, threshold: float = 3.841458820694124,
                minimum_iv: float = 0.02, maximum_vif: float = 5.0, stepwise: str = "backward") -> Pooled:
    y = rows[outcome].to_numpy(dtype=float)
    tables, woe = {}, {}
    for name in features:
        places = bin_feature(rows[name], y, method, m, fine=fine, most=most, share=share, threshold=threshold)
        table = pd.crosstab(places, y)
        table.columns = ["others", "events"]
        shares = table / table.sum()
        table["woe"] = np.log(shares.others / shares.events)
        table["iv"] = (shares.others - shares.events) * table.woe
        tables[name], woe[name] = table, table.woe.to_numpy()[places]
    card = Pooled(tables, pd.DataFrame(woe))
    left = [name for name in features if len(tables[name]) > 1 and card.iv[name] >= minimum_iv]
    while True:
        x = sm.add_constant(card.woe[left]).to_numpy()
        found = {name: variance_inflation_factor(x, k + 1) for k, name in enumerate(left)}
        card.vif |= found
        worst = max(left, key=lambda name: found[name])
        if found[worst] <= maximum_vif:
            break
        left.remove(worst)
    card.fit, card.steps = _steps(card.woe, y, left, stepwise)
    return card


def _steps(woe: pd.DataFrame, y: np.ndarray, left: list[str], way: str) -> tuple[Any, list[float]]:
    def fit(names: list[str]) -> Any:
        x = np.column_stack([np.ones(len(y)), *(woe[name] for name in names)])
        return sm.Logit(y, pd.DataFrame(x, columns=["Intercept", *names])).fit(disp=False, tol=1e-12, maxiter=100)

    chosen = list(left) if way in ("backward", "none") else []
    model = fit(chosen)
    steps = [model.aic]
    while way != "none":
        tries = [[other for other in chosen if other != name] for name in chosen] if way != "forward" else []
        tries += [[*chosen, name] for name in left if name not in chosen] if way != "backward" else []
        best = min((fit(names) for names in tries), key=lambda one: one.aic, default=model)
        if best.aic >= model.aic:
            break
        model, chosen = best, list(best.params.index[1:])
        steps.append(model.aic)
    return model, steps
