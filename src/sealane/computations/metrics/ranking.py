"""``metrics.ranking``: how well a score ranks, predicts and treats groups alike, from one secure histogram.

The histogram is opened at the nodes. All that is released follows from cuts between which no few rows, events or others
lie (:mod:`.curves`): a model is the analyst's, so that a sum over all rows can be an equation for one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.design.parameters import Name
from sealane.computations.disclosure import check_contributors, check_rows, hidden_under
from sealane.computations.metrics.calibration import calibrate
from sealane.computations.metrics.curves import VAGUE, Cuts, Ranked, bands, cut
from sealane.computations.metrics.groups import count_groups, hidden_groups, released
from sealane.computations.metrics.ranking_result import Ranking
from sealane.computations.metrics.scores import Scale, ScoreParameters, even_edges, read_scale, scores_of
from sealane.computations.metrics.scoring_model import Number
from sealane.computations.outcome import check_events, read_outcome
from sealane.computations.statistics.axes import known_levels, places_on
from sealane.errors import InputError

_NEARLY_ALL = 0.9


class RankingParameters(ScoreParameters):
    """Parameters of ``metrics.ranking``, beside those of the score.

    Attributes:
        outcome: a column of two values; 1, or the second level, is the event.
        higher: what a higher score means: the event, or none.
        bins: of equal width on the score's range.
        bands: most bands of the lift table and of the calibration curve.
        thresholds: scores at which what is selected is counted: from there on up, or under where higher means no event.
        group: a category or boolean by whose levels the score's treatment is compared.
        calibration: whether probabilities are held against outcomes.
    """

    outcome: Name
    higher: Literal["event", "no-event"] = "event"
    bins: Annotated[int, Field(ge=2, le=10_000)] = 1000
    bands: Annotated[int, Field(ge=2, le=100)] = 10
    thresholds: Annotated[tuple[Number, ...], Field(max_length=50)] = ()
    group: Name | None = None
    calibration: bool = True

    @model_validator(mode="after")
    def _coherent(self) -> RankingParameters:
        if not self.score_columns:
            raise ValueError("score or model says what is judged")
        if self.outcome in self.score_columns or self.outcome == self.group:
            raise ValueError("the outcome is neither scored nor a group")
        if len(set(self.thresholds)) != len(self.thresholds):
            raise ValueError("thresholds are distinct")
        if self.group is not None and not self.thresholds:
            raise ValueError("groups are compared at thresholds")
        return self


class MetricsRanking:
    """Discrimination, calibration and fairness of a score."""

    outputs = ("statistics",)
    individual_level = False  # counts and sums over the cohort
    opens = "a fine histogram of scores by outcome, and counts by group, outcome and threshold"

    @property
    def name(self) -> str:
        """Return ``metrics.ranking``."""
        return "metrics.ranking"

    @property
    def parameters(self) -> type[RankingParameters]:
        """Return the model of its parameters."""
        return RankingParameters

    def columns(self, params: RankingParameters) -> list[str]:
        """Return the outcome, what is scored, and the group's column."""
        return list(dict.fromkeys([params.outcome, *params.score_columns, *([params.group] if params.group else [])]))

    async def run(self, data: Dataset, cohort: Cohort, params: RankingParameters) -> Payload:
        """Judge the score.

        Raises:
            InputError: a column that cannot play its part, a score without a range, or rows outside the contract.
            RefusedError: too few rows, events or institutions.
        """
        scale = read_scale(data.contract, params)
        outcome = read_outcome(data.contract.field(params.outcome), "binomial")
        levels = _levels(data, params.group)
        frame = data.frame(self.columns(params))
        y, score = outcome.read(frame[params.outcome], "binomial"), scores_of(frame, data.contract, params)
        kept = ~np.isnan(y) & ~np.isnan(score)
        edges = even_edges(scale, params.bins, params.thresholds)
        y, score = y[kept], score[kept]
        place = np.searchsorted(edges, score, side="right")
        if params.higher == "event":
            place = len(edges) - place  # the riskiest bin comes first
            edges = edges[::-1]
        histogram = [np.bincount(place[y == value], minlength=len(edges) + 1) for value in (1.0, 0.0)]
        opened = await cohort.sum({
            "counts": count(np.concatenate([[len(kept), int(kept.sum())], *histogram]), MAXIMUM_ROWS),
            "institutions": count([int(kept.any())], 1)})
        (rows, used, *cells), contributors = opened["counts"].tolist(), int(opened["institutions"][0])
        half = len(edges) + 1
        ranked = Ranked(tuple(edges), tuple(cells[:half]), tuple(cells[half:]))
        check_rows(used, cohort.minimum_count)
        basis = check_contributors(contributors, cohort, {})
        check_events(used, ranked.totals[0], "binomial", cohort.minimum_count)
        at = {threshold: edges.index(threshold) + 1 for threshold in params.thresholds}
        cuts = cut(ranked, list(at.values()), cohort.minimum_count)
        shown = {threshold: _shown(cuts, scale, params.higher, threshold, place_) for threshold, place_ in at.items()}
        chosen = bands(cuts, params.bands)
        payload = _discrimination(cuts, chosen) | {
            "computation": self.name, "outcome": params.outcome, "score": params.score or "model",
            "higher": params.higher, "minimum_count": cohort.minimum_count, "probability": scale.probability,
            "range": [scale.low, scale.high], "nobs": used, "dropped": hidden_under(rows - used, cohort.minimum_count),
            "basis": basis, "calibration": None, "group": params.group, "groups": [],
            "thresholds": [_confusion(cuts, threshold, k) for threshold, k in shown.items()]}
        if params.calibration and scale.probability and params.higher == "event":
            payload["calibration"] = await calibrate(cohort, cuts, ranked.edges, chosen)
        if params.group is not None:
            groups = places_on(frame[params.group], data.contract.field(params.group), None)[kept]
            payload["groups"] = await _by_group(cohort, levels, groups, place, y, cuts, shown, used)
        return payload

    def present(self, payload: Payload) -> Ranking:
        """Return curves and tables."""
        return Ranking(payload)


def _levels(data: Dataset, group: str | None) -> tuple[str, ...]:
    if group is None:
        return ()
    field = data.contract.field(group)
    if not known_levels(field):
        raise InputError("metrics.group-type", f"column {group!r} makes no groups", got=field.type,
                         expected="a category or a boolean")
    return known_levels(field)


def _shown(cuts: Cuts, scale: Scale, higher: str, threshold: float, place: int) -> int | None:
    """Return the place in the list of the cut at a threshold, None where none is made.

    At a threshold that no score can lie under, or reach, everybody or nobody is selected: that is public. No cut is
    shown because no row happens to part it from another: that nobody is there would be told of a bin of one person.
    """
    if place in cuts.places:
        return cuts.places.index(place)
    all_above, all_under = threshold <= scale.reach[0], threshold > scale.reach[1]
    nobody, everybody = (all_under, all_above) if higher == "event" else (all_above, all_under)
    return 0 if nobody else len(cuts.places) - 1 if everybody else None


def _discrimination(cuts: Cuts, chosen: list[int]) -> dict[str, Any]:
    """Return what the cuts tell of the ranking; in place of areas and distances that may be nearly any, why not."""
    between, edges = cuts.between, [None, *cuts.edges, None]
    (area, error), (distance, at) = between.area(), cuts.distance()
    found: dict[str, Any] = {
        "auc": area, "auc_se": between.standard_error(), "auc_error": error, "ks": distance,
        "ks_error": max(between.most_apart() - distance, 0.0), "ks_at": edges[at], "unranked": None}
    if error > VAGUE:
        most = max(b - a for a, b in pairwise(cuts.rows))
        reason = ("nearly all scores lie in one bin, or beyond low and high" if most >= _NEARLY_ALL * cuts.rows[-1]
                  else "too few rows, events or others to part scores")
        found |= dict.fromkeys(("auc", "auc_se", "ks", "ks_at")) | {"unranked": reason}
    return found | {"events": cuts.events[-1], "bands": chosen,
                    "roc": {"thresholds": edges, "events": cuts.events, "others": cuts.others}}


def _confusion(cuts: Cuts, threshold: float, k: int | None) -> dict[str, Any]:
    """Return the four counts at a threshold, or the rule by which there are none."""
    if k is None:
        return {"threshold": threshold, "rule": "minimum-count", "tp": None, "fp": None, "fn": None, "tn": None}
    true, false = cuts.events[k], cuts.others[k]
    return {"threshold": threshold, "rule": None, "tp": true, "fp": false, "fn": cuts.events[-1] - true,
            "tn": cuts.others[-1] - false}


async def _by_group(
    cohort: Cohort, levels: tuple[str, ...], groups: NDArray[np.int64], place: NDArray[np.int64],
    y: NDArray[np.float64], cuts: Cuts, at: dict[float, int | None], rows: int,
) -> list[dict[str, Any]]:
    """Compare groups at the thresholds that may be shown at all."""
    shown = sorted((cuts.places[k], threshold) for threshold, k in at.items() if k is not None)
    segments = np.searchsorted([number for number, _ in shown], place, side="right")
    found = await count_groups(cohort, levels, groups, segments, y, len(shown) + 1, rows)
    rules = hidden_groups(found, cohort.minimum_count, 1 if cohort.exposed else cohort.smallest)
    return released(found, rules, [threshold for _, threshold in shown])
