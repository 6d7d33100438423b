"""Risk sets in which competing events stay, weighted by the chance not to have left by then, and sums over them.

A row is at risk at the event times up to its own; one with a competing event also at those after, with the weight
G(t-) / G(T-), G being the Kaplan-Meier curve of leaving without an event, from opened counts. Events of a time are
tied, Breslow's way. Source: Fine and Gray (1999), J. Am. Stat. Assoc. 94(446), section 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count, real
from sealane.computations.few_rows import rests_on_few
from sealane.computations.newton import Point
from sealane.computations.survival.bounds import SMALLEST, Reach
from sealane.computations.survival.settling import Group, Integers, OwnRows

INTEREST, COMPETING = 1, 2
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Staying:
    """The public curve of leaving without an event: its merged times, and the chance to stay past each.

    Attributes:
        places: ascending grid times, shape ``(n_times,)``.
        leavings: rows that leave at each.
        at_risk: rows at risk at each.
        chance: to stay past each.
    """

    places: Integers
    leavings: Array
    at_risk: Array
    chance: Array

    def before(self, places: Integers) -> Array:
        """Return the chance to stay up to just before each place."""
        steps = np.concatenate([[1.0], self.chance])
        return np.asarray(steps[np.searchsorted(self.places, places, side="left")], dtype=np.float64)


def staying(group: Group) -> Staying:
    """Return the Kaplan-Meier curve of leaving; operations in order, so that all nodes arrive at the same bits."""
    places = group.leavings.places
    leavings, at_risk = group.leavings.numbers.astype(np.float64), group.at_risk(places).astype(np.float64)
    return Staying(places, leavings, at_risk, np.cumprod(1.0 - leavings / at_risk).astype(np.float64))


@dataclass(frozen=True, slots=True)
class OwnSets:
    """A node's rows, laid out for sums over the risk sets of the event of interest: private.

    Attributes:
        slots: public merged times of the event, shape ``(n_slots,)``.
        events: events at each over the cohort, shape ``(n_slots,)``.
        late: chance to stay up to just before each slot.
        x: standardised covariates, shape ``(n_rows, p)``.
        stop: grid time at which each row leaves.
        kind: how.
        high: number of slots at which it is at risk by itself.
        stayed: chance to stay up to just before ``stop``.
    """

    slots: Integers
    events: Array
    late: Array
    x: Array
    stop: Integers
    kind: Integers
    high: Integers
    stayed: Array

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Rows with the event of interest."""
        return np.equal(self.kind, INTEREST)

    @property
    def competing(self) -> NDArray[np.bool_]:
        """Rows with another."""
        return np.equal(self.kind, COMPETING)

    def over_risk_sets(self, values: Array) -> Array:
        """Return weighted sums of values, shape ``(n_rows, k)``, over each risk set: ``(n_slots, k)``."""
        size, chosen = len(self.slots), self.competing
        own = sums_by_place(self.high, values, size + 1)[::-1].cumsum(axis=0)[::-1][1:]
        after = sums_by_place(self.high[chosen], values[chosen] / self.stayed[chosen, None], size + 1)
        after = after.cumsum(axis=0)[:-1]
        return np.asarray(own + self.late[:, None] * after, dtype=np.float64)

    def exposure(self, hazard: Array) -> Array:
        """Return, for each row, the sum of a number per slot over its risk sets, with its weights."""
        plain = np.concatenate([[0.0], np.cumsum(hazard)])
        weighted = np.concatenate([[0.0], np.cumsum(self.late * hazard)])
        total = plain[self.high]
        chosen = self.competing
        total[chosen] += (weighted[-1] - weighted[self.high[chosen]]) / self.stayed[chosen]
        return np.asarray(total, dtype=np.float64)


def lay_out_sets(group: Group, curve: Staying, own: OwnRows, x: Array) -> OwnSets:
    """Lay a node's rows out; ``x`` is in the order of ``own``."""
    slots = group.events[INTEREST - 1].places
    stop = own.placed.stop
    return OwnSets(slots, group.events[INTEREST - 1].numbers.astype(np.float64), curve.before(slots), x, stop,
                   own.placed.kind, np.searchsorted(slots, stop, side="right"), curve.before(stop))


class SubdistributionLikelihood:
    """A node's rows, ready to be evaluated with the cohort's: two sums a step, as in a Cox model.

    Attributes:
        s0: opened sums of e^η over the risk sets at the coefficients last evaluated, shape ``(n_slots,)``.
        means: mean covariates in them, shape ``(n_slots, p)``.
    """

    def __init__(self, cohort: Cohort, own: OwnSets, reach: Reach) -> None:
        self._cohort, self._own, self._reach = cohort, own, reach
        self._event_x: Array = np.zeros(own.x.shape[1])
        self.s0: Array = np.zeros(len(own.slots))
        self.means: Array = np.zeros((len(own.slots), own.x.shape[1]))

    async def start(self) -> None:
        """Open the sum of the covariates of the events: one sum."""
        local = self._own.x[self._own.dead].sum(axis=0)
        self._event_x = (await self._cohort.sum({"events": real(local, self._reach.event_x)}))["events"]

    @property
    def hazard(self) -> Array:
        """Increments of the baseline subdistribution hazard at the slots."""
        return np.asarray(self._own.events / self.s0, dtype=np.float64)

    async def at(self, beta: Array) -> Point:
        """Evaluate agreed coefficients: two sums, or one where somebody's own rows run away."""
        own, size = self._own, len(beta)
        weight = np.exp(np.minimum(own.x @ beta, 700.0))
        # A competing row counts with 1 / G(T-) before the public G(t-) is put to it.
        fits = float((weight / own.stayed).sum()) <= self._reach.weight and not rests_on_few(
            weight, len(weight), self._cohort.minimum_count)
        used = weight if fits else np.zeros_like(weight)
        both = own.over_risk_sets(np.column_stack([used, own.x * used[:, None]]))
        opened = await self._cohort.sum({
            "s0": real(both[:, 0], self._reach.sum0, void=not fits),
            "s1": real(both[:, 1:], self._reach.sum1, void=not fits),
            "runaway": count([0 if fits else 1], 1)})
        s0 = opened["s0"]
        if int(opened["runaway"][0]) or float(s0.min()) < SMALLEST:
            return Point(beta, np.eye(size), np.zeros(size), math.inf, runaway=True)
        self.s0, self.means = s0, opened["s1"] / s0[:, None]
        moment = await self._moment(weight)
        score = self._event_x - np.cumsum(self.means * own.events[:, None], axis=0)[-1]
        outer = np.empty((size, size))
        for j in range(size):
            products = self.means * (self.means[:, j] * own.events)[:, None]
            outer[j] = np.cumsum(products, axis=0)[-1]
        likelihood = math.fsum((self._event_x * beta).tolist()) - math.fsum((own.events * np.log(s0)).tolist())
        return Point(beta, moment - (outer + outer.T) / 2.0, score, -2.0 * likelihood)

    async def _moment(self, weight: Array) -> Array:
        """Open Σ e^η x x' times the sum of the hazard over a row's risk sets."""
        own, size = self._own, self._own.x.shape[1]
        rows, columns = np.triu_indices(size)
        factor = weight * own.exposure(self.hazard)
        local = ((own.x * factor[:, None]).T @ own.x)[rows, columns]
        opened = (await self._cohort.sum({"moment": real(local, self._reach.moment)}))["moment"]
        moment = np.zeros((size, size))
        moment[rows, columns] = moment[columns, rows] = opened
        return moment


def sums_by_place(at: Integers, values: Array, size: int) -> Array:
    """Add rows of values up by place, shape ``(size, n_columns)``."""
    columns = [np.bincount(at, values[:, j], size) for j in range(values.shape[1])]
    return np.stack(columns, axis=1).astype(np.float64)
