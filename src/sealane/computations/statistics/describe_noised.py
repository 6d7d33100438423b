"""A description under a promise: noised counts and sums of grid integers, all in one sum with one joint norm.

A row adds, for each column, one count in its own group: of a level, of a missing value, or of a value; a value x adds
also u and u², where u = (x - middle) / half of the contract's range, each rounded to 1024 steps. All of them count
1024 for one, so that one deviation of noise fits all, and one row's vector is at most 1024 √(1 + 3 numbers +
categories) long. Everything released follows from that one noised sum. A mean's noise has about the deviation of a
count's, times half the range, divided by the count; a spread that the noise outweighs is hidden by the rule ``noise``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS, limits
from sealane.computations.disclosure import Rule
from sealane.computations.promise import noise_of, promise_of, standard_error
from sealane.computations.statistics.axes import MISSING, known_levels
from sealane.computations.statistics.cells import Column, Groups
from sealane.computations.statistics.describe_parameters import DescribeParameters
from sealane.computations.statistics.rounding import to_base, to_digits
from sealane.computations.suppression import SMALL
from sealane.governance import contract as governed

STEPS = 1024


def entries_of(params: DescribeParameters, contract: governed.Contract) -> int:
    """Return the length of the one sum."""
    groups = 1 if params.by is None else len(known_levels(contract.field(params.by))) + 1
    lengths = [len(known_levels(contract.field(name))) + 1 if known_levels(contract.field(name)) else 4
               for name in params.columns]
    return groups * (1 + sum(lengths))


def row_norm(params: DescribeParameters, contract: governed.Contract) -> int:
    """Return the square of the largest norm of what one row adds."""
    each = [1 if known_levels(contract.field(name)) else 3 for name in params.columns]
    return STEPS * STEPS * (1 + sum(each))


async def noised(
    cohort: Cohort, columns: list[Column], groups: Groups, params: DescribeParameters
) -> dict[str, Any]:
    """Return what a payload says of the columns; what has a noised count under the minimum is hidden."""
    local: list[NDArray[np.int64]] = [STEPS * np.bincount(groups.places, minlength=groups.number).astype(np.int64)]
    for column in columns:
        local += [STEPS * column.local(groups).ravel(), *_sums(column, groups)]
    flat = np.concatenate(local)
    norm = STEPS * STEPS * (1 + sum(1 if column.values is None else 3 for column in columns))
    sigma = noise_of(params, cohort.honest, flat.size, norm)
    opened = (await cohort.sum({"sums": count(flat, float(MAXIMUM_ROWS) * STEPS, noise=sigma, signed=True)}))["sums"]
    assert sigma is not None  # whoever calls has seen a promise
    error = standard_error(sigma, cohort.honest, cohort.size) / STEPS
    pieces = iter(np.split(opened / STEPS, np.cumsum([one.size for one in local])[:-1]))
    rows = next(pieces)
    content: dict[str, Any] = {}
    for column in columns:
        counts = next(pieces).reshape(len(column.cells), groups.number)
        sums = None if column.values is None else (next(pieces), next(pieces))
        content[column.field.name] = {"type": column.field.type, "unit": column.field.unit, "groups": {
            level: _column(column, counts[:, g], None if sums is None else (float(sums[0][g]), float(sums[1][g])),
                           cohort.minimum_count, params) for g, level in enumerate(groups.levels)}}
    return {"rows": to_base(round(float(rows.sum())), params.round_to), "promise": promise_of(params, error),
            "group_rules": {}, "columns": content}


def _sums(column: Column, groups: Groups) -> list[NDArray[np.int64]]:
    """Return by group the sums of u and of u², each in steps; nothing for a category."""
    if column.values is None:
        return []
    low, high = limits(column.field)
    known = column.places == 0
    unit = np.clip((column.values[known] - (low + high) / 2) / max((high - low) / 2, 2.0**-500), -1.0, 1.0)
    return [np.bincount(groups.places[known], weights=np.rint(STEPS * power),
                        minlength=groups.number).astype(np.int64) for power in (unit, unit * unit)]


def _column(
    column: Column, counts: NDArray[np.float64], sums: tuple[float, float] | None, minimum: int,
    params: DescribeParameters,
) -> dict[str, Any]:
    shown = {name: None if number < minimum else to_base(round(number), params.round_to)
             for name, number in zip(column.cells, counts.tolist(), strict=True)}
    rules: dict[str, Rule] = {name: SMALL for name, number in shown.items() if number is None}
    missing = shown.pop(MISSING)
    if sums is None:
        return {"levels": shown, "missing": missing, "rules": rules}
    present = shown["present"]
    values: dict[str, float | None] = {"mean": None, "std": None, "variance": None}
    if present is not None:
        low, high = limits(column.field)
        half, number = (high - low) / 2, float(counts[0])
        mean = min(max(sums[0] / number, -1.0), 1.0)
        spread = sums[1] / number - mean * mean
        values["mean"] = (low + high) / 2 + half * mean
        if spread > 0.0:
            variance = half * half * spread * number / max(number - 1.0, 1.0)
            values |= {"std": math.sqrt(variance), "variance": variance}
        else:
            rules |= {"std": "noise", "variance": "noise"}
    else:
        rules = {("count" if name == "present" else name): rule for name, rule in rules.items()}
        rules |= dict.fromkeys(values, SMALL)
    return {"count": present, "missing": missing, "rules": rules} | {
        name: None if value is None else to_digits(value, params.digits) for name, value in values.items()}
