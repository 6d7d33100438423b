"""``statistics.test``: two or more groups compared: t, analysis of variance, rank tests, chi-square.

t and F follow from each group's number, mean and variance; rank tests from histograms of the groups on a public grid
that is finer where rows crowd, rows of one cell sharing their mean rank; chi-square from a table none of whose cells
has to be hidden.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from sealane.computations.base import Cohort, Dataset, Parameters, Payload, count
from sealane.computations.columns import limits
from sealane.computations.disclosure import hidden_under
from sealane.computations.promise import Name
from sealane.computations.statistics.axes import known_levels
from sealane.computations.statistics.cells import Column, Groups, column_of, groups_of
from sealane.computations.statistics.closing import count_rows
from sealane.computations.statistics.comparison_result import ComparisonResult
from sealane.computations.statistics.counted import check_parts
from sealane.computations.statistics.grid import follow_ranks, rank_grid
from sealane.computations.statistics.moments import Moments, Sample, moments
from sealane.computations.statistics.quantiles import number_of
from sealane.computations.statistics.rank_tests import kruskal_wallis, mann_whitney
from sealane.computations.statistics.rounding import Digits, to_digits
from sealane.computations.statistics.variance_tests import analysis_of_variance, student
from sealane.computations.suppression import BESIDE
from sealane.computations.suppression_tables import table_reasons
from sealane.errors import InputError, RefusedError

PAIRED = ("t", "mann-whitney")
RANKED = ("mann-whitney", "kruskal")


class ComparisonParameters(Parameters):
    """Parameters of ``statistics.test``.

    Attributes:
        method: ``t`` and ``mann-whitney`` compare two groups, ``anova`` and ``kruskal`` two or more; ``chi2`` compares
            how the levels of a category are spread over groups.
        outcome: a number; for ``chi2`` a category or boolean.
        by: a category or boolean that makes the groups.
        groups: levels to compare; all that have rows if not given.
        equal_variances: for ``t``: Student's with one variance; else Welch's.
        cells: of the first grid on which ranks are taken; those that hold many rows are divided.
        correction: for ``chi2``: Yates' correction where there is one degree of freedom.
        confidence: level of the interval of the difference of two means.
        digits: significant digits to which shown means and deviations are rounded.
    """

    method: Literal["t", "anova", "mann-whitney", "kruskal", "chi2"]
    outcome: Name
    by: Name
    groups: Annotated[tuple[Name, ...], Field(min_length=2, max_length=1000)] | None = None
    equal_variances: bool = False
    cells: Annotated[int, Field(ge=2, le=10_000)] = 1000
    correction: bool = True
    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    digits: Digits = None

    @model_validator(mode="after")
    def _coherent(self) -> ComparisonParameters:
        if self.outcome == self.by:
            raise ValueError("the outcome is not what makes the groups")
        if self.groups is not None and len(set(self.groups)) != len(self.groups):
            raise ValueError("groups are distinct")
        return self


class Comparison:
    """A test of groups."""

    outputs = ("statistics",)
    individual_level = False
    opens = "small counts, and moments or histograms of every group"

    @property
    def name(self) -> str:
        """Return ``statistics.test``."""
        return "statistics.test"

    @property
    def parameters(self) -> type[ComparisonParameters]:
        """Return the model of its parameters."""
        return ComparisonParameters

    def columns(self, params: ComparisonParameters) -> list[str]:
        """Return the outcome and the column that makes the groups."""
        return [params.outcome, params.by]

    async def run(self, data: Dataset, cohort: Cohort, params: ComparisonParameters) -> Payload:
        """Compare.

        Raises:
            InputError: an outcome of the wrong type, a group that the contract does not have, rows outside it.
            RefusedError: groups that are too few, too small or of too few institutions, nothing varies, or a cell that
                would be hidden.
        """
        frame = data.frame(self.columns(params))
        groups = groups_of(frame, data.contract, params.by)
        field = data.contract.field(params.outcome)
        column = column_of(frame[params.outcome], field)
        if params.method == "chi2":
            if not known_levels(field):
                raise InputError("test.not-a-category", f"column {field.name!r} is no category", got=field.type,
                                 expected="a category or a boolean", hint="statistics.table takes bins")
        else:
            number_of(column)
        asked = _asked(params, groups)
        head = {"computation": self.name, "method": params.method, "outcome": params.outcome, "by": params.by,
                "minimum_count": cohort.minimum_count, "institutions": cohort.size,
                "confidence": params.confidence, "unit": field.unit}
        (counts,), institutions = await count_rows(cohort, [column], groups)
        known = counts[:-1].sum(axis=0)
        chosen = _chosen(cohort, params, groups, asked, known.tolist(), institutions.get(0))
        rest = int(counts.sum() - known[chosen].sum())
        head |= {"groups": [groups.levels[g] for g in chosen],
                 "contributing": [institutions[0][g] for g in chosen] if institutions else None,
                 "left_out": hidden_under(rest, cohort.minimum_count)}
        if params.method == "chi2":
            table = counts[:-1][:, chosen]
            if table_reasons(table, cohort.minimum_count).number:
                raise RefusedError("test.hidden-cells", "the table has cells of too few rows for its test to be told",
                                   got=f"a cell under {cohort.minimum_count} rows",
                                   expected=f"no cell of 1 to {cohort.minimum_count - 1} rows",
                                   hint="name fewer groups, or merge levels in the data contract")
            return head | {"levels": list(column.cells[:-1]), "counts": table.tolist(), "correction": params.correction}
        # Rows with an outcome that are in no group compared: a mean over all rows less the groups' tells of them.
        few_others = 0 < int(known.sum() - known[chosen].sum()) < cohort.minimum_count
        if params.method in RANKED:
            return head | await _ranks(cohort, column, groups, chosen, known[chosen].tolist(), params, few_others)
        return head | await _variances(cohort, column, groups, chosen, known[chosen].tolist(), params, few_others)

    def present(self, payload: Payload) -> ComparisonResult:
        """Return the test as scipy names it."""
        return ComparisonResult(payload)


def _asked(params: ComparisonParameters, groups: Groups) -> list[int]:
    if params.groups is None:
        return list(range(len(groups.levels)))
    unknown = [name for name in params.groups if name not in groups.levels]
    if unknown:
        raise InputError("test.unknown-group", f"column {params.by!r} has no such level", got=repr(unknown[0][:80]),
                         expected=f"one of {len(groups.levels)} levels of the contract")
    return [groups.levels.index(name) for name in params.groups]


def _chosen(
    cohort: Cohort, params: ComparisonParameters, groups: Groups, asked: list[int], known: list[int],
    institutions: list[int] | None,
) -> list[int]:
    """Return the groups that have rows, after refusing small ones."""
    chosen = [g for g in asked if known[g]]
    fewest = 1 if cohort.exposed else cohort.smallest
    for g in chosen:
        if known[g] < cohort.minimum_count:
            raise RefusedError("test.small-group", f"group {groups.levels[g]!r} of {params.by!r} has too few rows",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}",
                               hint="name the groups to compare")
        if institutions is not None and institutions[g] < fewest:
            raise RefusedError("test.few-institutions",
                               f"rows of group {groups.levels[g]!r} of {params.by!r} are at too few institutions",
                               got=institutions[g], expected=f"at least {fewest}",
                               hint="name other groups, or have every institution waive that its part may show")
    if len(chosen) < 2 or (params.method in PAIRED and len(chosen) > 2):
        wanted = "two groups" if params.method in PAIRED else "at least two groups"
        raise RefusedError("test.number-of-groups", f"{params.method} compares {wanted}",
                           got=f"{len(chosen)} with rows", hint="name the groups to compare")
    return chosen


async def _variances(
    cohort: Cohort, column: Column, groups: Groups, chosen: list[int], numbers: list[int],
    params: ComparisonParameters, few_others: bool,
) -> dict[str, Any]:
    low, high = limits(column.field)
    found = await moments(cohort, [Sample(column.part(groups, g), number, low, high)
                                   for g, number in zip(chosen, numbers, strict=True)])
    test = (student(found[0], found[1], params.equal_variances) if params.method == "t"
            else analysis_of_variance(found))
    if test is None:
        raise RefusedError("test.nothing-varies", f"column {column.field.name!r} does not vary within the groups",
                           expected="some spread")
    dominated = [groups.levels[g] for g, one in zip(chosen, found, strict=True)
                 if one.dominated(cohort.minimum_count, low)]
    if dominated:  # the statistic and the other group's mean would give it
        raise RefusedError("test.dominated", f"few rows make most of {column.field.name!r} in group {dominated[0]!r}",
                           got=f"under {cohort.minimum_count} effective rows, (sum x)^2 / sum x^2",
                           expected=f"at least {cohort.minimum_count}", hint="a rank test does not go by amounts")
    told = params.method == "t" and not few_others
    return test | {"n": [None if few_others else one.rows for one in found],
                   "rules": [BESIDE if few_others else None for _ in found],
                   "mean": [None if few_others else to_digits(one.mean, params.digits) for one in found],
                   "std": [None if few_others else _deviation(one, params) for one in found],
                   "difference": test.get("difference") if told else None,
                   "standard_error": test.get("standard_error") if told else None}


def _deviation(one: Moments, params: ComparisonParameters) -> float | None:
    return None if one.deviation is None else to_digits(one.deviation, params.digits)


async def _ranks(
    cohort: Cohort, column: Column, groups: Groups, chosen: list[int], numbers: list[int],
    params: ComparisonParameters, few_others: bool,
) -> dict[str, Any]:
    grid = rank_grid(column.field, params.cells)
    width = grid.width
    parts = [column.part(groups, g) for g in chosen]
    await follow_ranks(cohort, [grid], [np.concatenate(parts)], [sum(numbers)])
    local = np.array([np.bincount(grid.places(one), minlength=grid.cells) for one in parts], dtype=np.int64)
    cells = (await cohort.sum({"cells": count(local, max(numbers))}))["cells"]
    check_parts(np.append(grid.counts, numbers), np.append(cells.sum(axis=0), cells.sum(axis=1)))
    test = mann_whitney(cells) if params.method == "mann-whitney" else kruskal_wallis(cells)
    if test is None:
        raise RefusedError("test.nothing-varies", f"column {column.field.name!r} does not vary within the groups",
                           expected="some spread")
    return test | {"n": [None if few_others else number for number in numbers], "grid": width,
                   "rules": [BESIDE if few_others else None for _ in numbers]}
