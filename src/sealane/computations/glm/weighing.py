"""Weights, offset and exposure of rows, and how many rows of equal weight stand behind a weighted cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.base import Cohort
from sealane.computations.columns import floats, limits
from sealane.computations.design.screening import Counts
from sealane.computations.design.variables import Rows
from sealane.computations.disclosure import effective_rows
from sealane.computations.glm.opening import open_sums, out_of_range
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.newton import Array
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract


@dataclass(frozen=True, slots=True)
class Beside:
    """A node's own columns beside outcome and features, all rows: private. None where the study names none.

    Attributes:
        weights: how often each row counts.
        offset: known part of the linear predictor, the logarithm of the exposure included.
        missing: by column, where it has no usable value.
    """

    weights: Array | None
    offset: Array | None
    missing: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Total:
    """Opened totals over the rows that are kept.

    Attributes:
        weight: sum of the weights; rows, where there are none.
        mean: weighted mean of the outcome.
        offset: weighted mean of the offset.
    """

    weight: float
    mean: float
    offset: float = 0.0


def check_beside(contract: Contract, params: GlmParameters) -> None:
    """Hold the columns against the contract before any row is read.

    Raises:
        InputError: not numeric, or a range that reaches where it must not.
    """
    for name in params.beside:
        field = contract.field(name)
        if field.type not in ("number", "integer", "boolean"):
            raise InputError("glm.column-type", f"column {name!r} cannot be weights, offset or exposure",
                             got=field.type, expected="a numeric field")
        low, _ = limits(field)
        if name == params.weights and low < 0.0:
            raise InputError("glm.weights-range", f"the contract allows negative weights in {name!r}", got=f"{low:g}",
                             expected="a minimum of 0 or more")
        if name == params.exposure and low < 0.0:
            raise InputError("glm.exposure-range", f"the contract allows negative exposures in {name!r}",
                             got=f"{low:g}", expected="a minimum of 0 or more")


def read_beside(frame: pd.DataFrame, contract: Contract, params: GlmParameters) -> Beside:
    """Read a node's own columns; a weight or exposure of 0 counts as missing, since such a row says nothing.

    Raises:
        InputError: rows break the contract.
    """
    read = {name: floats(frame[name], contract.field(name)) for name in params.beside}
    missing = {name: np.isnan(values) for name, values in read.items()}
    for name in (params.weights, params.exposure):
        if name is not None:
            missing[name] |= read[name] == 0.0
    offset = None if params.offset is None else read[params.offset]
    if params.exposure is not None:
        with np.errstate(divide="ignore"):
            logarithm = np.log(read[params.exposure])
        offset = logarithm if offset is None else offset + logarithm
    return Beside(None if params.weights is None else read[params.weights], offset, missing)


async def weigh(
    cohort: Cohort, counts: Counts, rows: Rows, y: Array, beside: Beside, *, mean: float, events: bool, others: bool,
) -> Total:
    """Sum weights and their squares over all rows, each level and each kind of event: one sum, or none without them.

    Args:
        cohort: of the run.
        counts: as opened.
        rows: own ones.
        y: their outcomes, all rows.
        beside: their weights and offsets.
        mean: of the outcome, without weights.
        events: whether outcomes above 0 are events.
        others: whether those of 0 are held against the minimum too.

    Raises:
        RefusedError: ``glm.effective-rows``.
    """
    if beside.weights is None and beside.offset is None:
        return Total(float(counts.kept), mean)
    kept = rows.kept
    known = y[kept]
    weights = np.ones_like(known) if beside.weights is None else beside.weights[kept]
    offset = np.zeros_like(known) if beside.offset is None else beside.offset[kept]
    own = {"all": _moments(weights), "means": np.array([weights @ known, weights @ offset])}
    if events:
        own["events"] = _moments(weights[known > 0.0])
    if others:
        own["others"] = _moments(weights[known == 0.0])
    if beside.weights is not None:
        own |= _by_cells(counts, rows, weights)
    opened = await open_sums(cohort, own, {name: values.shape for name, values in own.items()})
    if opened.runaway:
        raise out_of_range("weights or offset")
    _check({name: values for name, values in opened.sums.items() if name != "means"}, cohort.minimum_count)
    total = float(opened.sums["all"][0])
    weighted, shifted = opened.sums["means"].tolist()
    return Total(total, weighted / total, shifted / total)


async def check_offset(
    cohort: Cohort, counts: Counts, rows: Rows, beside: Beside, total: Total, power: float
) -> None:
    """Hold against the minimum how many rows an offset behind a logarithm leaves in play: one sum.

    There an offset multiplies means, so it weighs rows: of an offset that is steep (an age, an income) the largest
    value alone makes a sum of means, and would follow from the intercept.

    Args:
        cohort: of the run.
        counts: as opened.
        rows: own ones.
        beside: their weights and offsets.
        total: as opened.
        power: of the mean with which a row enters the score.

    Raises:
        RefusedError: ``glm.effective-rows``.
    """
    if beside.offset is None:
        return
    kept = rows.kept
    with np.errstate(over="ignore"):
        means = np.exp(power * (beside.offset[kept] - total.offset))
        moments = means if beside.weights is None else means * beside.weights[kept]
        own = {"all": _moments(moments)} | _by_cells(counts, rows, moments)
    opened = await open_sums(cohort, own, {name: values.shape for name, values in own.items()})
    if opened.runaway:
        raise _few_rows(cohort.minimum_count, "offset or exposure")
    _check(opened.sums, cohort.minimum_count, "offset or exposure, ")


def _by_cells(counts: Counts, rows: Rows, weights: Array) -> dict[str, Array]:
    """Return the moments of weights of kept rows at each level and combination."""
    out = {}
    for axis, cells in counts.cells.items():
        places = np.stack([rows.level(name)[rows.kept] for name in axis], axis=1)
        out[f"cells {' '.join(axis)}"] = np.stack([_moments(weights[(places == place).all(axis=1)]) for place in cells])
    return out


def _moments(weights: Array) -> Array:
    return np.array([weights.sum(), weights @ weights])


def _check(sums: Mapping[str, Array], minimum: int, by: str = "") -> None:
    for name, moments in sums.items():
        for total, squares in moments.reshape(-1, 2).tolist():
            if squares > 0.0 and effective_rows(total, squares) < minimum:
                raise _few_rows(minimum, by + name.removeprefix("cells ").replace(" ", " and "))


def _few_rows(minimum: int, what: str) -> RefusedError:
    return RefusedError("glm.effective-rows", "a few heavy rows stand for a weighted sum",
                        got=f"under {minimum} effective rows ({what})",
                        expected=f"(sum of weights)² / (sum of squares) of at least {minimum}",
                        hint="leave weights, offset or exposure out, or merge levels")
