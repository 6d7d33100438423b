"""The design matrix: public columns, each with a centre and a scale, and the way back to the original units.

Every column enters as ``(x - centre) / scale``. The two are near the cohort's mean and standard deviation, but the
model is the same for any choice, so they are good for conditioning and for tight bounds and need not be exact.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, real
from sealane.computations.design.coding import Part, columns_of, name_of
from sealane.computations.design.screening import Counts, screen_columns
from sealane.computations.design.terms import transformed
from sealane.computations.design.variables import Array, Rows, Variables
from sealane.errors import InputError, RefusedError

SLACK = 1.0 + 2.0**-20
"""Room for the rounding of a node's own float sums, which is under rows × 2^-53."""
NARROWEST = 1e-7
"""Least spread of a column in units of half its contract range; below it float64 cannot tell it from a constant."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a variable's values lie over the cohort; ``mean`` stands in for a missing value."""

    mean: float = 0.0
    centre: float = 0.0
    scale: float = 1.0


UNPLACED = Placement()


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the design matrix, with its range in standardised units; the intercept has no parts."""

    name: str
    parts: tuple[Part, ...]
    place: Placement
    low: float
    high: float

    @property
    def reach(self) -> float:
        """Largest absolute value of the standardised column that the contract allows."""
        return max(abs(self.low), abs(self.high))

    @property
    def unit(self) -> float:
        """How much of the standardised column is one natural unit: a spread of a number, the whole of a level or mark.

        A rare 0/1 number has a spread far under 1, and a step of 1 in its coefficient is no small one.
        """
        marked = abs((self.high - self.low) * self.place.scale - 1.0) < 1e-9
        return self.place.scale if marked or not self.numeric else 1.0

    @property
    def numeric(self) -> bool:
        """Whether a number is among its factors."""
        return any(part.place < 0 for part in self.parts)


@dataclass(frozen=True, slots=True)
class Measured:
    """A numeric vector of a node beside the features, such as an outcome, with its public range."""

    name: str
    low: float
    high: float
    values: Array


@dataclass(frozen=True, slots=True)
class Design:
    """The public shape of the model.

    Attributes:
        columns: in the order of the coefficients, the intercept first.
        levels: levels with rows, by category.
        references: the level that a reduced category leaves out.
        intercept: whether there is one.
        empty: names of columns that were left out, since no row has their combination of levels.
        measured: where what was measured beside the features lies.
    """

    columns: tuple[Column, ...]
    levels: dict[str, tuple[str, ...]]
    references: dict[str, str]
    intercept: bool
    empty: tuple[str, ...]
    measured: dict[str, Placement]

    @property
    def names(self) -> list[str]:
        """Names of the coefficients, in order."""
        return [column.name for column in self.columns]

    @property
    def units(self) -> Array:
        """The natural unit of each column, shape ``(n_columns,)``."""
        return np.array([column.unit for column in self.columns])


async def lay_out(
    cohort: Cohort, rows: Rows, variables: Variables, counts: Counts, *, intercept: bool, centred: bool = False,
    beside: Sequence[Measured] = (),
) -> Design:
    """Choose the columns from the opened counts and one sum of first and second moments.

    Args:
        cohort: of the run.
        rows: own ones.
        variables: of the model.
        counts: as opened.
        intercept: whether there is a column of ones.
        centred: whether columns may be centred without one, as in models that a constant does not change.
        beside: further vectors to measure over the kept rows, missing as NaN.

    Raises:
        InputError: two columns of one name.
        RefusedError: a column that does not vary, a reference level without rows, or more columns than rows allow.
    """
    present = {name: counts.present(name) for name in variables.categories}
    references = {name: _reference(variables, name, found) for name, found in present.items()}
    # With a column for every constant, one level of the first category follows from the others too.
    about_mean = intercept or centred
    coded = list(columns_of(variables, about_mean, present, references))
    made = [parts for parts in coded if (at := _levels(parts)) == {} or counts.number(at) > 0]
    named = Counter(["Intercept"] * intercept + [name_of(parts) for parts in made])
    if made and max(named.values()) > 1:
        raise InputError("model.column-twice", "two columns of the model have one name",
                         got=repr(named.most_common(1)[0][0][:80]),
                         hint="rename the field in the data contract, or leave the intercept out")
    screen_columns(counts, len(made) + intercept)
    spans = [_span(variables, parts) for parts in made]
    numeric = [j for j, parts in enumerate(made) if any(part.place < 0 for part in parts)]
    ranges = [Measured(name_of(made[j]), *spans[j], _values(rows, made[j])[rows.kept]) for j in numeric]
    places = await _measure(cohort, counts, [*ranges, *beside], about_mean, {one.name for one in beside})
    columns = [Column("Intercept", (), Placement(1.0), 1.0, 1.0)] if intercept else []
    for parts, (low, high) in zip(made, spans, strict=True):
        name = name_of(parts)
        place = places[name] if name in places else _share(counts, parts, about_mean)
        columns.append(Column(name, parts, place, (low - place.centre) / place.scale,
                              (high - place.centre) / place.scale))
    levels = {name: tuple(variables.categories[name].levels[k] for k in found) for name, found in present.items()}
    return Design(tuple(columns), levels, {n: variables.categories[n].levels[k] for n, k in references.items()},
                  intercept, tuple(name_of(parts) for parts in coded if parts not in made),
                  {one.name: places[one.name] for one in beside})


def matrix(design: Design, rows: Rows) -> Array:
    """Return a node's standardised matrix of its kept rows, shape ``(n_kept, n_columns)``. It is private."""
    x = np.empty((int(rows.kept.sum()), len(design.columns)), dtype=np.float64, order="F")
    for j, column in enumerate(design.columns):
        values = _values(rows, column.parts)[rows.kept]
        values[np.isnan(values)] = column.place.mean
        x[:, j] = (values - column.place.centre) / column.place.scale
    return x


def original_units(
    design: Design, beta: Array, covariance: Array, outcome: Placement = UNPLACED
) -> tuple[list[float], list[list[float]]]:
    """Carry coefficients and their covariance back to the units of the contract.

    Parameters past the design's columns (a dispersion, a shape) are taken over as they are. Every sum is exactly
    rounded, so that all nodes arrive at the same bits whatever their machine.

    Args:
        design: of the model.
        beta: coefficients, shape ``(n_columns + further,)``.
        covariance: theirs.
        outcome: where the outcome lies, if it was standardised too.
    """
    known, size = len(design.columns), range(len(beta))
    factor = [outcome.scale / c.place.scale for c in design.columns] + [1.0] * (len(beta) - known)
    b, v = beta.tolist(), covariance.tolist()
    params = [factor[j] * b[j] for j in size]
    cov = [[factor[j] * factor[k] * v[j][k] for k in size] for j in size]
    if design.intercept:
        # Intercept in original units: y.centre + y.scale * (b_0 - sum of b_j * shift_j); its own shift is 0.
        shift = [c.place.centre / c.place.scale for c in design.columns[1:]]
        weight = [1.0, *(-one for one in shift)]
        inner = range(known)
        params[0] = math.fsum([outcome.centre, *(outcome.scale * weight[j] * b[j] for j in inner)])
        for k in size[1:]:
            cov[0][k] = cov[k][0] = factor[k] * outcome.scale * math.fsum(weight[j] * v[j][k] for j in inner)
        cov[0][0] = outcome.scale**2 * math.fsum(weight[i] * weight[j] * v[i][j] for i in inner for j in inner)
    return params, cov


def _values(rows: Rows, parts: Sequence[Part]) -> Array:
    """Return a column of all rows in the contract's units, missing as NaN (a missing level as 0)."""
    values = np.ones(len(rows.kept), dtype=np.float64)
    for part in parts:
        variable = part.factor.variable
        if part.place >= 0:
            values = values * (rows.codes[variable] == part.place)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):  # rows that are not kept may lie outside the domain
                values = values * transformed(rows.numeric[variable], part.factor.transform)
    return values


def _levels(parts: Sequence[Part]) -> dict[str, int]:
    return {part.factor.variable: part.place for part in parts if part.place >= 0}


def _span(variables: Variables, parts: Sequence[Part]) -> tuple[float, float]:
    low = high = 1.0
    for part in parts:
        ends = (0.0, 1.0) if part.place >= 0 else variables.span(part.factor)
        products = [a * b for a in (low, high) for b in ends]
        low, high = min(products), max(products)
    return low, high


async def _measure(
    cohort: Cohort, counts: Counts, measured: Sequence[Measured], about_mean: bool, needed: set[str]
) -> dict[str, Placement]:
    """Sum first and second moments, each vector in units of its public range: [-1, 1]."""
    if not measured:
        return {}
    local = np.zeros((2, len(measured)), dtype=np.float64)
    for j, one in enumerate(measured):
        if one.low == one.high:
            raise constant_column(one.name)
        unit = (one.values[~np.isnan(one.values)] - (one.low + one.high) / 2) / ((one.high - one.low) / 2)
        local[:, j] = unit.sum(), (unit * unit).sum()
    total = (await cohort.sum({"moments": real(local, counts.kept * SLACK)}))["moments"]
    places: dict[str, Placement] = {}
    for j, one in enumerate(measured):
        middle, half = (one.low + one.high) / 2, (one.high - one.low) / 2
        known = counts.known.get(one.name, counts.kept)
        mean_unit = float(total[0, j]) / known
        variance = (float(total[1, j]) - known * mean_unit * mean_unit) / counts.kept
        mean, spread = middle + half * mean_unit, math.sqrt(max(variance, 0.0))
        if spread < NARROWEST and (about_mean or mean == 0.0 or one.name in needed):
            raise constant_column(one.name)
        centre = mean if about_mean else 0.0
        # About zero instead of about the mean where no intercept can take the mean up.
        places[one.name] = Placement(mean, centre, half * spread if about_mean else math.hypot(half * spread, mean))
    return places


def _share(counts: Counts, parts: Sequence[Part], about_mean: bool) -> Placement:
    """Place a column of levels, whose mean is known from the counts."""
    number = counts.number(_levels(parts))
    share = number / counts.kept
    if about_mean and number == counts.kept:
        raise constant_column(name_of(parts))
    if about_mean:
        return Placement(share, share, math.sqrt(share * (1.0 - share)))
    return Placement(share, 0.0, math.sqrt(share))


def _reference(variables: Variables, name: str, present: Sequence[int]) -> int:
    category = variables.categories[name]
    if category.reference is not None and category.levels.index(category.reference) not in present:
        named = ", ".join(category.levels[k] for k in present[:20])
        raise RefusedError("model.reference-empty", f"reference level of {name!r} has no rows", got=category.reference,
                           expected=f"one of {named}")
    if len(present) < 2:
        raise constant_column(name)
    return present[0] if category.reference is None else category.levels.index(category.reference)


def constant_column(name: str) -> RefusedError:
    """Return the error for a column that is the same in all rows."""
    return RefusedError("model.constant-column", f"column {name!r} does not vary over the cohort", got="one value",
                        expected="a spread that shows within the contract's range",
                        hint="leave it out, or narrow its range in the contract")
