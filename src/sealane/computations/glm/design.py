"""The design matrix: public columns, each with a centre and a scale, and the way back to the original units.

Every column enters as ``(x - centre) / scale``. The two are near the cohort's mean and standard deviation, but the
model is the same for any choice, so they are good for conditioning and for tight bounds and need not be exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, real
from sealane.computations.glm.screening import Counts
from sealane.computations.glm.variables import Category, Numeric, Outcome, Rows, Variables
from sealane.errors import RefusedError

SLACK = 1.0 + 2.0**-20
"""Room for the rounding of a node's own float sums, which is under rows × 2^-53."""
NARROWEST = 1e-7
"""Least spread of a column in units of half its contract range; below it float64 cannot tell it from a constant."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a variable's values lie over the cohort; ``mean`` stands in for a missing value."""

    mean: float
    centre: float
    scale: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the design matrix, with its range in standardised units.

    ``code`` is the position of a category's level in the contract, or -1 for a number.
    """

    name: str
    variable: str
    code: int
    place: Placement
    low: float
    high: float

    @property
    def reach(self) -> float:
        """Largest absolute value of the standardised column that the contract allows."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True)
class Design:
    """The public shape of the model.

    Attributes:
        columns: in the order of the coefficients, the intercept first.
        outcome: standardised in a gaussian model, else as it is.
        levels: levels with rows, by category.
        references: the level that has no column, by category.
        intercept: whether there is one.
    """

    columns: tuple[Column, ...]
    outcome: Column
    levels: dict[str, tuple[str, ...]]
    references: dict[str, str]
    intercept: bool

    @property
    def names(self) -> list[str]:
        """Names of the coefficients, in order."""
        return [column.name for column in self.columns]


async def lay_out(
    cohort: Cohort, rows: Rows, variables: Variables, counts: Counts, *, family: str, intercept: bool
) -> Design:
    """Choose the columns from the opened counts and one sum of first and second moments.

    Raises:
        RefusedError: a column that does not vary, or a reference level without rows.
    """
    places = await _measure(cohort, rows, variables, counts, intercept=intercept)
    outcome = variables.outcome
    target = places[outcome.name]
    if family != "gaussian":
        target = Placement(target.mean, 0.0, 1.0)
    columns = [Column("Intercept", "", -1, Placement(1.0, 0.0, 1.0), 1.0, 1.0)] if intercept else []
    references: dict[str, str] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for feature in variables.features:
        if isinstance(feature, Numeric):
            columns.append(_column(feature.name, feature.name, -1, (feature.low, feature.high), places[feature.name]))
            continue
        # As in patsy: without an intercept the first category takes its place and keeps all its levels.
        full = not intercept and not levels
        found = counts.levels[feature.name]
        levels[feature.name] = tuple(level for level in feature.levels if found[level] > 0)
        reference = _reference(feature, levels[feature.name])
        if not full:
            references[feature.name] = reference
        for level in levels[feature.name]:
            if full or level != reference:
                place = _share(found[level] / counts.kept, intercept=intercept)
                name = f"{feature.name}[{level}]" if full else f"{feature.name}[T.{level}]"
                columns.append(_column(name, feature.name, feature.levels.index(level), (0.0, 1.0), place))
    target_column = _column(outcome.name, outcome.name, -1, (outcome.low, outcome.high), target)
    return Design(tuple(columns), target_column, levels, references, intercept)


def matrix(design: Design, rows: Rows) -> tuple[Array, Array]:
    """Return a node's standardised matrix ``(n_kept, n_columns)`` and outcome ``(n_kept,)``. Both are private."""
    kept = rows.kept
    x = np.empty((int(kept.sum()), len(design.columns)), dtype=np.float64)
    for j, column in enumerate(design.columns):
        if not column.variable:
            x[:, j] = 1.0
            continue
        if column.code >= 0:
            values = (rows.codes[column.variable][kept] == column.code).astype(np.float64)
        else:
            values = rows.numeric[column.variable][kept]
            values = np.where(np.isnan(values), column.place.mean, values)
        x[:, j] = (values - column.place.centre) / column.place.scale
    place = design.outcome.place
    return x, (rows.outcome[kept] - place.centre) / place.scale


def original_units(design: Design, beta: Array, covariance: Array) -> tuple[list[float], list[list[float]]]:
    """Carry coefficients and their covariance back to the units of the contract.

    Every sum is exactly rounded, so that all nodes arrive at the same bits whatever their machine.
    """
    y = design.outcome.place
    factor = [y.scale / column.place.scale for column in design.columns]
    shift = [column.place.centre / column.place.scale for column in design.columns]
    b, v = beta.tolist(), covariance.tolist()
    size = range(len(b))
    params = [factor[j] * b[j] for j in size]
    cov = [[factor[j] * factor[k] * v[j][k] for k in size] for j in size]
    if design.intercept:
        # Intercept in original units: y.centre + y.scale * (b_0 - sum of b_j * shift_j); its own shift is 0.
        weight = [1.0, *(-shift[j] for j in size[1:])]
        params[0] = math.fsum([y.centre, *(y.scale * weight[j] * b[j] for j in size)])
        for k in size[1:]:
            cov[0][k] = cov[k][0] = factor[k] * y.scale * math.fsum(weight[j] * v[j][k] for j in size)
        cov[0][0] = y.scale * y.scale * math.fsum(weight[i] * weight[j] * v[i][j] for i in size for j in size)
    return params, cov


async def _measure(
    cohort: Cohort, rows: Rows, variables: Variables, counts: Counts, *, intercept: bool
) -> dict[str, Placement]:
    """Sum first and second moments of the numeric columns, each in units of its contract range: [-1, 1]."""
    measured: list[Numeric | Outcome] = [*variables.numeric, variables.outcome]
    ranges = [(variable.name, variable.low, variable.high) for variable in measured]
    local = np.zeros((2, len(ranges)), dtype=np.float64)
    for j, (name, low, high) in enumerate(ranges):
        if low == high:
            raise _constant(name)
        values = (rows.outcome if name == variables.outcome.name else rows.numeric[name])[rows.kept]
        unit = (values[~np.isnan(values)] - (low + high) / 2) / ((high - low) / 2)
        local[:, j] = unit.sum(), (unit * unit).sum()
    total = (await cohort.sum({"moments": real(local, counts.kept * SLACK)}))["moments"]
    places: dict[str, Placement] = {}
    for j, (name, low, high) in enumerate(ranges):
        middle, half = (low + high) / 2, (high - low) / 2
        known = counts.known.get(name, counts.kept)
        mean_unit = float(total[0, j]) / known
        variance = (float(total[1, j]) - known * mean_unit * mean_unit) / counts.kept
        mean, spread = middle + half * mean_unit, math.sqrt(max(variance, 0.0))
        if spread < NARROWEST and (intercept or mean == 0.0 or name == variables.outcome.name):
            raise _constant(name)
        centre = mean if intercept else 0.0
        # About zero instead of about the mean where no intercept can take the mean up.
        places[name] = Placement(mean, centre, half * spread if intercept else math.hypot(half * spread, mean))
    return places


def _column(name: str, variable: str, code: int, span: tuple[float, float], place: Placement) -> Column:
    low, high = ((bound - place.centre) / place.scale for bound in span)
    return Column(name, variable, code, place, low, high)


def _share(share: float, *, intercept: bool) -> Placement:
    if intercept:
        return Placement(share, share, math.sqrt(share * (1.0 - share)))
    return Placement(share, 0.0, math.sqrt(share))


def _reference(category: Category, present: tuple[str, ...]) -> str:
    if category.reference is not None and category.reference not in present:
        raise RefusedError("glm.reference-empty", f"reference level of {category.name!r} has no rows",
                           got=category.reference, expected=f"one of {', '.join(present[:20])}")
    if len(present) < 2:
        raise _constant(category.name)
    return category.reference or present[0]


def _constant(name: str) -> RefusedError:
    return RefusedError("glm.constant-column", f"column {name!r} does not vary over the cohort", got="one value",
                        expected="a spread that shows within the contract's range",
                        hint="leave it out, or narrow its range in the contract")
