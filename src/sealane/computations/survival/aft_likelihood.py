"""One secure sum per step of an accelerated failure time model: information, score and deviance at agreed parameters.

The parameters are γ, one for each column, and r, the inverse spread of standardised log time l: z = r l - x'γ. Every
bound follows from ranges of the contract, the opened row count and the agreed parameters. Cumulative hazards of a
Weibull model have no such bound: each node holds its own against a public total, contributes random sums if they
exceed it, or rest on few rows, and says so in the same sum. No sum is taken per time, so times need no grid here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.design.layout import SLACK, Column
from sealane.computations.design.variables import Array
from sealane.computations.few_rows import rests_on_few
from sealane.computations.newton import Point
from sealane.computations.survival.aft_distributions import Distribution
from sealane.errors import RefusedError

WIDEST_SUM = 2.0**68
"""Largest bound times cohort that leaves 56 fractional bits in a ring of 128."""
HEADROOM = 2.0**12
"""How far the cumulative hazards of a step may sum beyond the rows before it is called a runaway."""


class Likelihood:
    """A node's rows, ready to be evaluated with the cohort's.

    Args:
        cohort: of the run.
        columns: of the design, in the order of γ.
        time: log time as a column.
        distribution: of log time.
        x: own standardised columns, shape ``(n_rows, n_columns)``.
        log_time: own standardised log times, shape ``(n_rows,)``.
        event: 1 where a row ended in the event, else 0, shape ``(n_rows,)``.
        rows: over the cohort.
        events: over the cohort.
    """

    def __init__(
        self, cohort: Cohort, columns: Sequence[Column], time: Column, distribution: Distribution, x: Array,
        log_time: Array, event: Array, *, rows: int, events: int,
    ) -> None:
        self._cohort, self._distribution, self._event = cohort, distribution, event
        self._rows, self._events = rows, events
        self._columns = [*columns, time]
        self._matrix = np.column_stack([-x, log_time])
        self._spans = [*((-column.high, -column.low) for column in columns), (time.low, time.high)]
        self._reach = max(column.reach for column in self._columns)

    async def at(self, parameters: Array) -> Point:
        """Evaluate agreed parameters: one sum, or none where the spread would not be positive."""
        size, r = len(parameters), float(parameters[-1])
        if r <= 0.0:
            nothing = np.zeros((size, size))
            return Point(parameters, nothing, nothing[0], math.inf, runaway=True)
        rows, columns = np.triu_indices(size)
        z = self._matrix @ parameters
        most = HEADROOM * self._rows
        information, score, deviance = np.zeros(len(rows)), np.zeros(size), 0.0
        fits = self._distribution.within(z, most)
        if fits:
            own = self._distribution.scores(z, self._event)
            fits = not rests_on_few(own.curve, len(z), self._cohort.minimum_count)
        if fits:
            information = ((self._matrix * own.curve[:, None]).T @ self._matrix)[rows, columns]
            score = self._matrix.T @ own.slope
            deviance = -2.0 * float(own.value.sum() + math.log(r) * self._event.sum())
        caps = self._distribution.caps(self._rows, self._steepest(parameters), most)
        logarithm = abs(math.frexp(r)[1]) + 1.0
        opened = await self._cohort.sum({
            "information": real(information, self._bound(caps.curve * self._reach * self._reach), void=not fits),
            "score": real(score, self._bound(caps.slope * self._reach), void=not fits),
            "deviance": real([deviance], self._bound(2.0 * (caps.value + self._rows * logarithm)), void=not fits),
            "runaway": count([0 if fits else 1], 1),
        })
        full = np.zeros((size, size), dtype=np.float64)
        full[rows, columns] = opened["information"]
        full[columns, rows] = opened["information"]
        # What log ρ adds for each event.
        total = opened["score"].copy()
        total[-1] += self._events / r
        full[-1, -1] += self._events / (r * r)
        return Point(parameters, full, total, float(opened["deviance"][0]), int(opened["runaway"][0]) > 0)

    async def log_times(self) -> float:
        """Open the sum of standardised log times over the events: one sum."""
        own = float((self._matrix[:, -1] * self._event).sum())
        opened = await self._cohort.sum({"log_times": real([own], self._bound(self._rows * self._reach))})
        return float(opened["log_times"][0])

    def _steepest(self, parameters: Array) -> float:
        """Return the largest |z| over every row that the contract allows; exactly rounded sums."""
        pairs = [(p * low, p * high) for p, (low, high) in zip(parameters.tolist(), self._spans, strict=True)]
        return max(abs(math.fsum(min(pair) for pair in pairs)), abs(math.fsum(max(pair) for pair in pairs)))

    def _bound(self, bound: float) -> float:
        rounded = 2.0 ** math.frexp(bound * SLACK)[1] if math.isfinite(bound) else math.inf
        if rounded * self._cohort.size > WIDEST_SUM:
            widest = max(self._columns, key=lambda column: column.reach)
            raise RefusedError("aft.range-too-wide", "the contract's ranges are too wide for an exact sum",
                               got=f"{widest.name!r} may lie {widest.reach:.3g} spreads from its mean",
                               hint="narrow the range in the contract, or take a logarithm")
        return rounded
