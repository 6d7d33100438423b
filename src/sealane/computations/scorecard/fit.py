"""``glm.scorecard``: bins, weights of evidence, a logistic regression on them and points, over all institutions.

Only counts are opened until it is known which features stay; then cross-products of their weights of evidence, and one
sum for each Newton step of each candidate model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Dataset, Payload, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import (
    check_contributors,
    check_events_per_parameter,
    check_rows,
    hidden_under,
)
from sealane.computations.newton import Array
from sealane.computations.outcome import read_outcome
from sealane.computations.scorecard.coarse import Binned, coarse_bins, of_enough_institutions
from sealane.computations.scorecard.collinear import Inflation, cross_products, inflation
from sealane.computations.scorecard.evidence import Evidence, weigh
from sealane.computations.scorecard.features import (
    Feature,
    fine_edges,
    fine_places,
    number_of_fine,
    read_features,
)
from sealane.computations.scorecard.likelihood import Likelihood
from sealane.computations.scorecard.parameters import ScorecardParameters
from sealane.computations.scorecard.result import ScorecardResult
from sealane.computations.scorecard.stepwise import Path, choose
from sealane.errors import RefusedError

Places = list[NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Head:
    """Opened counts: all rows, those with an outcome, those with the event, and rows in which a feature is known."""

    rows: int
    kept: int
    events: int
    known: list[int]
    basis: dict[str, Any]


class Scorecard:
    """A card of points for risk."""

    outputs = ("model",)
    individual_level = False  # counts, sums and coefficients over the cohort
    opens = "counts by fine bin and outcome, cross-products of weights of evidence, and each step's scores and deviance"

    @property
    def name(self) -> str:
        """Return ``glm.scorecard``."""
        return "glm.scorecard"

    @property
    def parameters(self) -> type[ScorecardParameters]:
        """Return the model of its parameters."""
        return ScorecardParameters

    def columns(self, params: ScorecardParameters) -> list[str]:
        """Return outcome and features."""
        return [params.outcome, *params.features]

    def exchanges(self, params: ScorecardParameters) -> int:
        """Return most exchanges of a run: to find cuts, and to fit three models and the candidates of every step."""
        return 150 + (3 + len(params.features)) * params.maximum_iterations

    async def run(self, data: Dataset, cohort: Cohort, params: ScorecardParameters) -> Payload:
        """Make the card.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows or events, a feature that an institution lacks, no feature that tells anything,
                or a model without an answer.
        """
        outcome = read_outcome(data.contract.field(params.outcome), "binomial")
        features = read_features(data.contract, params)
        frame = data.frame(self.columns(params))
        y = outcome.read(frame[params.outcome], "binomial")
        kept = ~np.isnan(y)
        values = [feature.read(frame[feature.name])[kept] for feature in features]
        y = y[kept]
        head = await _count(cohort, features, values, y, len(kept))
        binned, fine = await _bins(cohort, features, values, y, head, params)
        telling = [k for k, one in enumerate(binned) if len(one.bins) > 1]
        if not telling:
            raise _nothing_left("all rows lie in one bin of every feature")
        weighed = await weigh(cohort, [binned[k] for k in telling], params.adjustment)
        evidence: dict[int, Evidence] = dict(zip(telling, weighed, strict=True))
        strong = [k for k in telling if evidence[k].iv >= params.minimum_iv]
        if not strong:
            raise _nothing_left(f"no information value of {params.minimum_iv:g} or more")
        x = np.column_stack([np.array(evidence[k].woe)[binned[k].places(fine[k])] for k in strong])
        inflated = await _inflation(cohort, x, [(binned[k], evidence[k]) for k in strong], head, params.maximum_vif)
        left = [strong[k] for k in inflated.left]
        likelihood = Likelihood(x[:, inflated.left], y, [features[k].name for k in left],
                                [max(map(abs, evidence[k].woe)) for k in left], head.kept)
        check_events_per_parameter(min(head.events, head.kept - head.events), len(left) + 1)
        path = await choose(cohort, likelihood, params, head.events / head.kept)
        if not path.fitted.columns:
            raise _nothing_left("no feature lowers Akaike's criterion")
        described = _described(binned, evidence, strong, inflated, path)
        return await _release(cohort, params, head, described, path, likelihood.names)

    def present(self, payload: Payload) -> ScorecardResult:
        """Return the card."""
        return ScorecardResult(payload)


async def _count(cohort: Cohort, features: Sequence[Feature], values: Sequence[Array], y: Array, rows: int) -> Head:
    """Open the first counts, and hold them against the rules.

    Raises:
        RefusedError: too few rows, events or institutions, or a feature that one of these lacks.
    """
    known = [int((~np.isnan(column)).sum()) for column in values]
    absent = [int(len(y) > 0 and number == 0) for number in known]
    opened = await cohort.sum({"counts": count([rows, len(y), int((y > 0).sum()), *known], MAXIMUM_ROWS),
                               "institutions": count([int(len(y) > 0), *absent], 1)})
    everyone, kept, events, *known = opened["counts"].tolist()
    contributors, *absent = opened["institutions"].tolist()
    lacking = [one.name for one, number in zip(features, absent, strict=True) if number]
    check_rows(kept, cohort.minimum_count)
    basis = check_contributors(contributors, cohort, {})
    if lacking:
        raise RefusedError("scorecard.missing-at-institution", "an institution has no value of a feature",
                           got=", ".join(lacking)[:200], expected="some values at every institution",
                           hint="leave these out, or ask for them to be added")
    if min(events, kept - events) < 2 * cohort.minimum_count:
        raise RefusedError("scorecard.too-few-events", "too few rows have the rarer outcome for two bins",
                           got=f"under {2 * cohort.minimum_count}", expected=f"at least {2 * cohort.minimum_count}",
                           hint="ask for more institutions or a longer period")
    return Head(everyone, kept, events, known, basis)


async def _bins(
    cohort: Cohort, features: Sequence[Feature], values: Sequence[Array], y: Array, head: Head,
    params: ScorecardParameters,
) -> tuple[list[Binned], Places]:
    edges = await fine_edges(cohort, list(features), list(values), head.known, params)
    fine = [fine_places(*one) for one in zip(features, values, edges, strict=True)]
    sizes = [number_of_fine(*one) + 1 for one in zip(features, edges, strict=True)]
    own = [np.stack([np.bincount(places[y > 0], minlength=size), np.bincount(places[y == 0], minlength=size)], axis=1)
           for places, size in zip(fine, sizes, strict=True)]
    opened = (await cohort.sum({"bins": count(np.concatenate(own), head.kept)}))["bins"]
    counts = np.split(opened, np.cumsum(sizes)[:-1])
    binned = [coarse_bins(feature, cuts, numbers, params, cohort.minimum_count)
              for feature, cuts, numbers in zip(features, edges, counts, strict=True)]
    return await of_enough_institutions(cohort, binned, fine, 1 if cohort.exposed else cohort.smallest), fine


async def _inflation(
    cohort: Cohort, x: Array, strong: Sequence[tuple[Binned, Evidence]], head: Head, limit: float
) -> Inflation:
    """Drop features that others determine too far; places are those among the strong."""
    means = [math.fsum(group.rows * woe for group, woe in zip(one.bins, found.woe, strict=True)) / head.kept
             for one, found in strong]
    reach = max(abs(woe - mean) for mean, (_, found) in zip(means, strong, strict=True) for woe in found.woe)
    products = await cross_products(cohort, x, means, reach, head.kept)
    order = sorted(range(len(strong)), key=lambda k: (-strong[k][1].iv, k))
    return inflation(products, order, limit)


def _described(
    binned: Sequence[Binned], evidence: dict[int, Evidence], strong: Sequence[int], inflated: Inflation, path: Path
) -> list[dict[str, Any]]:
    """Describe every feature with its bins, and why it is used or is not."""
    left = [strong[k] for k in inflated.left]
    used = {left[k] for k in path.fitted.columns}
    vif = {strong[k]: value for k, value in inflated.vif.items()}
    out = list[dict[str, Any]]()
    for k, one in enumerate(binned):
        head: dict[str, Any] = {"name": one.feature.name, "unit": one.feature.field.unit}
        if k not in evidence:
            # Its one bin would tell nothing, or too much.
            out.append(head | {"used": False, "reason": "one-bin", "iv": None, "vif": None, "bins": []})
            continue
        reason = None if k in used else "stepwise" if k in left else "vif" if k in vif else "iv"
        bins = [{"events": group.events, "others": group.others, "woe": woe, "iv": part}
                for group, woe, part in zip(one.bins, evidence[k].woe, evidence[k].parts, strict=True)]
        levels = one.feature.levels
        shape: dict[str, Any] = {"edges": one.cuts} if not levels else {
            "levels": [[levels[part] for part in group.parts if part < len(levels)] for group in one.bins]}
        out.append(head | shape | {"missing": one.missing, "used": k in used, "reason": reason,
                                   "iv": evidence[k].iv, "vif": vif.get(k), "bins": bins})
    return out


async def _release(
    cohort: Cohort, params: ScorecardParameters, head: Head, features: list[dict[str, Any]], path: Path,
    names: Sequence[str],
) -> Payload:
    fitted = path.fitted
    size = len(fitted.beta)
    upper = np.triu_indices(size)
    covariance = np.zeros((size, size))
    covariance[upper] = await cohort.agree(fitted.solution.inverse[upper])
    covariance = np.triu(covariance) + np.triu(covariance, 1).T
    return {
        "computation": "glm.scorecard", "outcome": params.outcome, "binning": params.binning,
        "minimum_count": cohort.minimum_count, "adjustment": params.adjustment, "features": features,
        "columns": ["Intercept", *(names[k] for k in fitted.columns)],
        "params": fitted.beta.tolist(), "covariance": covariance.tolist(), "confidence": params.confidence,
        "deviance": fitted.deviance, "null_deviance": path.null_deviance, "llf": -0.5 * fitted.deviance,
        "aic": fitted.aic, "iterations": fitted.solution.iterations,
        "steps": [{"feature": step.feature, "entered": step.entered, "aic": step.aic} for step in path.steps],
        "untried": path.untried,
        "scaling": {"base_score": params.base_score, "base_odds": params.base_odds, "pdo": params.pdo,
                    "round_points": params.round_points},
        "nobs": head.kept, "events": head.events, "dropped": hidden_under(head.rows - head.kept, cohort.minimum_count),
        "basis": head.basis,
    }


def _nothing_left(why: str) -> RefusedError:
    return RefusedError("scorecard.no-features-left", "no feature is left for the card", got=why,
                        expected="at least one feature that tells events apart",
                        hint="lower minimum_iv or minimum_share, or name other features")
