"""``monitor.drift``: a score and features by period against a reference, and how well the score still ranks.

Counts alone are opened: rows by period and cell, and scores by period and outcome. Nothing is released of a period with
few rows or too few institutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import Rule, hidden_under
from sealane.computations.metrics.curves import VAGUE, Ranked, cut
from sealane.computations.metrics.scores import Scale, even_edges, read_scale, scores_of
from sealane.computations.monitor.drift_result import Drift
from sealane.computations.monitor.parameters import DriftParameters
from sealane.computations.monitor.periods import periods_of, read_periods
from sealane.computations.monitor.stability import joined, stability
from sealane.computations.monitor.watched import Watched, edges_of, read_watched
from sealane.computations.outcome import read_outcome
from sealane.errors import RefusedError

Counts = NDArray[np.int64]
Edges = list[tuple[float, ...]]
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Head:
    """Opened first: rows outside of all periods, rows and institutions by period, rows known in the first period."""

    outside: int
    rows: list[int]
    institutions: list[int]
    known: list[int]


class MonitorDrift:
    """Stability of populations and of a score."""

    outputs = ("statistics",)
    individual_level = False  # counts over the cohort
    opens = "counts by period and cell of all that is watched, and a histogram of scores by outcome and period"

    @property
    def name(self) -> str:
        """Return ``monitor.drift``."""
        return "monitor.drift"

    @property
    def parameters(self) -> type[DriftParameters]:
        """Return the model of its parameters."""
        return DriftParameters

    def columns(self, params: DriftParameters) -> list[str]:
        """Return the period's column, what is scored and watched, and the outcome."""
        return list(dict.fromkeys([params.period, *params.score_columns, *params.features,
                                   *([params.outcome] if params.outcome else [])]))

    async def run(self, data: Dataset, cohort: Cohort, params: DriftParameters) -> Payload:
        """Compare periods.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: a first period with few rows or institutions, or single institutions that have not waived.
        """
        if params.by_institution and not cohort.exposed:
            raise RefusedError("drift.not-waived", "single institutions are shown only if all of them waived that",
                               got="some have not", expected="every institution's waiver in its agreement",
                               hint="leave by_institution out, or name all institutions in waive_differencing")
        field = data.contract.field(params.period)
        periods = read_periods(field, params)
        scale = read_scale(data.contract, params) if params.score_columns else None
        outcome = None if params.outcome is None else read_outcome(data.contract.field(params.outcome), "binomial")
        frame = data.frame(self.columns(params))
        place = periods_of(frame[params.period], field, periods)
        watched = read_watched(frame, data.contract, params, scale)
        head = await _count(cohort, watched, place, len(periods), params)
        edges = await edges_of(cohort, watched, place == 0, head.known, params)
        shape = _whose(cohort, params)
        own = [_table(one.places(cuts), place, len(periods), one.cells(cuts))
               for one, cuts in zip(watched, edges, strict=True)]
        opened = (await cohort.sum({"cells": count(np.concatenate([shape.spread(part) for part in own]),
                                                   max(sum(head.rows), 1))}))["cells"]
        tables = [part.reshape(shape.number, len(periods), one.cells(cuts)) for part, one, cuts in zip(
            np.split(opened, np.cumsum([part.size * shape.number for part in own])[:-1]), watched, edges, strict=True)]
        closed = _closed(head, cohort)
        index = await _index(cohort, shape, watched, tables, closed, params)
        area = list[dict[str, Any]]()
        if outcome is not None and scale is not None:
            y, score = outcome.read(frame[outcome.name], "binomial"), scores_of(frame, data.contract, params)
            area = await _areas(cohort, shape, scale, (place, y, score), tables[0].sum(axis=2), params)
        return {
            "computation": self.name, "periods": periods, "period": params.period,
            "minimum_count": cohort.minimum_count, "outside": hidden_under(head.outside, cohort.minimum_count),
            "psi_limit": params.psi_limit, "auc_band": None if params.auc_band is None else list(params.auc_band),
            "rows": [None if rule else rows for rows, rule in zip(head.rows, closed, strict=True)],
            "hidden": {name: rule for name, rule in zip(periods, closed, strict=True) if rule},
            "edges": {one.name: list(cuts) for one, cuts in zip(watched, edges, strict=True) if not one.levels},
            "psi": [_named(one, periods, shape) for one in index], "auc": [_named(one, periods, shape) for one in area],
        }

    def present(self, payload: Payload) -> Drift:
        """Return tables by period."""
        return Drift(payload)


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose counts are opened: all together, and after that each institution's own where that is asked for."""

    names: tuple[str | None, ...]
    own: tuple[int, ...]

    @property
    def number(self) -> int:
        return len(self.names)

    def spread(self, counts: Counts) -> Counts:
        """Put own counts where they belong, flat."""
        out = np.zeros((self.number, counts.size), dtype=np.int64)
        out[list(self.own)] = counts.ravel()
        return out.ravel()


def _whose(cohort: Cohort, params: DriftParameters) -> _Whose:
    return _Whose((None, *cohort.names), (0, cohort.place + 1)) if params.by_institution else _Whose((None,), (0,))


def _named(one: dict[str, Any], periods: list[str], shape: _Whose) -> dict[str, Any]:
    return one | {"period": periods[one["period"]], "institution": shape.names[one["institution"]]}


def _table(cells: Counts, place: Counts, periods: int, number: int) -> Counts:
    inside = place >= 0
    return np.bincount(place[inside] * number + cells[inside], minlength=periods * number).astype(np.int64)


async def _count(
    cohort: Cohort, watched: list[Watched], place: Counts, periods: int, params: DriftParameters
) -> Head:
    """Open rows by period, and hold the first one against the rules if it is the reference of anything.

    Raises:
        RefusedError: ``drift.reference-too-small``.
    """
    rows = np.bincount(place[place >= 0], minlength=periods)
    known = [int((~np.isnan(one.values[place == 0])).sum()) for one in watched]
    opened = await cohort.sum({
        "counts": count(np.concatenate([[int((place < 0).sum())], rows, known]), MAXIMUM_ROWS),
        "institutions": count((rows > 0).astype(np.int64), 1)})
    outside, *numbers = opened["counts"].tolist()
    head = Head(outside, numbers[:periods], opened["institutions"].tolist(), numbers[periods:])
    wanting = [one.name for one in watched if one.name not in params.reference]
    if wanting and (head.rows[0] == 0 or _closed(head, cohort)[0] is not None):
        raise RefusedError("drift.reference-too-small", "the first period has too few rows or institutions to be held "
                           "against", got=", ".join(wanting)[:200],
                           expected=f"at least {cohort.minimum_count} rows of {_fewest(cohort)} institutions",
                           hint="begin later, or give a reference")
    return head


def _fewest(cohort: Cohort) -> int:
    return 1 if cohort.exposed else cohort.smallest


def _closed(head: Head, cohort: Cohort) -> list[Rule | None]:
    """Return the rule by which nothing of a period is shown; None where it is, or where it has no rows."""
    return ["minimum-count" if 0 < rows < cohort.minimum_count else
            "minimum-cohort" if 0 < institutions < _fewest(cohort) else None
            for rows, institutions in zip(head.rows, head.institutions, strict=True)]


async def _index(
    cohort: Cohort, shape: _Whose, watched: list[Watched], tables: list[Counts], closed: list[Rule | None],
    params: DriftParameters,
) -> list[dict[str, Any]]:
    """Return the index of everything watched by period; logarithms are settled among the nodes."""
    out, values = list[dict[str, Any]](), list[float]()
    for one, table in zip(watched, tables, strict=True):
        given = params.reference.get(one.name)
        then = table[0, 0].tolist() if given is None else [*given.shares, given.missing]
        for whose in range(shape.number):
            for period, now in enumerate(table[whose].tolist()):
                rows = sum(now)
                rule = closed[period] or ("minimum-count" if 0 < rows < cohort.minimum_count else None)
                cells = joined(now, then, cohort.minimum_count, counted=given is None)
                if rule is None and rows and len(cells) == 1:
                    rule = "minimum-count"
                shown = rule is None and rows > 0
                out.append({"institution": whose, "period": period, "variable": one.name,
                            "rows": rows if rule is None else None, "cells": len(cells) if shown else None,
                            "psi": None, "rule": rule, "alarm": False})
                values.append(stability(cells, params.adjustment, counted=given is None) if shown else 0.0)
    # A whole one beside them: indexes near nothing may differ in the last bits of a logarithm.
    settled = (await cohort.agree(np.array([*values, 1.0])))[:-1].tolist()
    for one_, value in zip(out, settled, strict=True):
        if one_["cells"] is not None:
            one_["psi"], one_["alarm"] = value, value > params.psi_limit
    return out


async def _areas(
    cohort: Cohort, shape: _Whose, scale: Scale, own: tuple[Counts, NDArray[np.float64], NDArray[np.float64]],
    rows: Counts, params: DriftParameters,
) -> list[dict[str, Any]]:
    """Return the area under the curve by period: one sum of scores by outcome.

    Where few rows of a period (``rows``, by whose and period) lack a score or an outcome, how many have both is hidden,
    and the area, a fraction over both numbers, is rounded.
    """
    (place, y, score), periods = own, rows.shape[1]
    kept = (place >= 0) & ~np.isnan(y) & ~np.isnan(score)
    edges = even_edges(scale, params.auc_bins)
    bin_ = np.searchsorted(edges, score[kept], side="right")
    if params.higher == "event":
        bin_ = len(edges) - bin_  # the riskiest first
    number = len(edges) + 1
    cells = (place[kept] * 2 + (y[kept] > 0)) * number + bin_
    counted = np.bincount(cells, minlength=periods * 2 * number).astype(np.int64)
    present = (np.bincount(place[kept], minlength=periods) > 0).astype(np.int64)
    opened = await cohort.sum({"scores": count(shape.spread(counted), max(int(rows[0].sum()), 1)),
                               "institutions": count(present, 1)})
    tables = opened["scores"].reshape(shape.number, periods, 2, number).tolist()
    out = list[dict[str, Any]]()
    for whose in range(shape.number):
        for period, (others, events) in enumerate(tables[whose]):
            ranked = Ranked(tuple(edges), tuple(events), tuple(others))
            number_of = ranked.totals[0] + ranked.totals[1]
            institutions = int(opened["institutions"][period])
            rule: Rule | None = None
            if number_of > 0 and min(ranked.totals) < cohort.minimum_count:
                rule = "minimum-count"
            elif 0 < institutions < _fewest(cohort):
                rule = "minimum-cohort"
            area, error = None, None
            if rule is None and number_of > 0:
                area, error = cut(ranked, (), cohort.minimum_count).between.area()
                if error > VAGUE:
                    area, error, rule = None, None, "minimum-count"
            told = area is not None
            if area is not None and error is not None and 0 < rows[whose, period] - number_of < cohort.minimum_count:
                area, error, told = round(area, _DIGITS), error + 0.5 * 10.0**-_DIGITS, False
            band = params.auc_band
            out.append({"institution": whose, "period": period, "auc": area, "auc_error": error, "rule": rule,
                        "rows": number_of if told else None, "events": ranked.totals[0] if told else None,
                        "alarm": area is not None and band is not None and not band[0] <= area <= band[1]})
    return out
