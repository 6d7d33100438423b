"""``statistics.describe``: counts, means, spreads and quantiles over the cohort, small cells hidden, or noised sums.

What is hidden was still opened at the nodes, which need it to decide; it is not released. Counts are opened first, and
only what they allow is summed. A mean is shown where only few values are missing, though a mean over whole numbers can
give its own count, and so the number missing, away to someone who tries; ``digits`` rounds it.
"""

from __future__ import annotations

from typing import Any

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.columns import limits
from sealane.computations.disclosure import Rule
from sealane.computations.promise import bounded, check_unit, price_of_sum, with_unit
from sealane.computations.statistics.axes import MISSING
from sealane.computations.statistics.cells import Column, Counts, column_of, groups_of, hidden_cells
from sealane.computations.statistics.closing import Cell, beside_single, closed_cells, count_rows, hidden_groups
from sealane.computations.statistics.describe_noised import entries_of, noised, row_norm
from sealane.computations.statistics.describe_parameters import PROBABILITIES, QUANTILES, DescribeParameters
from sealane.computations.statistics.described import Description, described
from sealane.computations.statistics.moments import Moments, Sample, moments
from sealane.computations.statistics.quantile_search import Quantile, quantiles
from sealane.computations.statistics.rounding import to_base, to_digits
from sealane.computations.suppression import SMALL
from sealane.errors import RefusedError
from sealane.governance import contract as governed
from sealane.privacy.mechanism import Price

MOMENTS = ("mean", "std", "variance", "skewness")


class Describe:
    """Counts, means, spreads and quantiles of numbers; counts of levels."""

    outputs = ("statistics",)
    individual_level = False  # sums and counts over the cohort
    opens = "small counts, moments, and the counts at each step of the search for quantiles"

    @property
    def name(self) -> str:
        """Return ``statistics.describe``."""
        return "statistics.describe"

    @property
    def parameters(self) -> type[DescribeParameters]:
        """Return the model of its parameters."""
        return DescribeParameters

    def columns(self, params: DescribeParameters) -> list[str]:
        """Return the columns described, the one to group by, and the unit's."""
        return with_unit(params.read, params)

    def price(self, params: DescribeParameters, contract: governed.Contract, honest: int) -> Price | None:
        """Return what a description with noise costs: one sum. See :class:`sealane.computations.pricing.Priced`."""
        check_unit(params, contract, params.read)
        return price_of_sum(params, honest, entries_of(params, contract), row_norm(params, contract))

    async def run(self, data: Dataset, cohort: Cohort, params: DescribeParameters) -> Payload:
        """Describe the columns.

        Raises:
            InputError: a date or text column, a column without a range, rows outside the contract, or a promise that
                no noise keeps.
            RefusedError: fewer rows than the minimum count.
        """
        check_unit(params, data.contract, params.read)
        frame = bounded(data.frame(self.columns(params)), params)
        groups = groups_of(frame, data.contract, params.by)
        columns = [column_of(frame[name], data.contract.field(name)) for name in params.columns]
        head = {"computation": self.name, "minimum_count": cohort.minimum_count, "institutions": cohort.size,
                "by": params.by,
                "groups": list(groups.levels), "rounded_to": params.round_to, "digits": params.digits}
        if params.promised:
            return head | await noised(cohort, columns, groups, params)
        counts, institutions = await count_rows(cohort, columns, groups)
        rows = int(counts[0].sum())
        if rows < cohort.minimum_count:
            raise RefusedError("describe.too-few-rows", "too few rows to describe",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}")
        closed = closed_cells(cohort, columns, counts, institutions)
        open_cells = [cell for cell, rule in closed.items() if rule is None]
        samples = [Sample(columns[c].part(groups, g), int(counts[c][0, g]), *limits(columns[c].field))
                   for c, g in open_cells]
        found = dict(zip(open_cells, await moments(cohort, samples), strict=True))
        searched: dict[Cell, list[Quantile]] = {}
        if params.quantiles and samples:
            whole = [columns[c].field.type == "integer" for c, _ in open_cells]
            searched = dict(zip(open_cells, await quantiles(cohort, samples, whole, PROBABILITIES, params.resolution),
                                strict=True))
        rules = beside_single(closed | {cell: _dominance(columns[cell[0]].field, one, cohort.minimum_count)
                                        for cell, one in found.items()}, counts)
        content = {}
        for c, column in enumerate(columns):
            hidden = hidden_cells(counts[c], cohort.minimum_count)
            content[column.field.name] = {"type": column.field.type, "unit": column.field.unit, "groups": {
                level: _cells(column, counts[c][:, g], [row[g] for row in hidden], params)
                | ({} if column.values is None else
                   _statistics(closed[c, g], rules[c, g], found.get((c, g)), searched.get((c, g)), params)
                   | {"institutions": None if rules[c, g] else institutions[c][g]})
                for g, level in enumerate(groups.levels)}}
        return head | {"rows": to_base(rows, params.round_to), "promise": None, "group_rules": {
            level: rule for level, rule in zip(groups.levels, hidden_groups(counts, cohort.minimum_count), strict=False)
            if rule},
            "columns": {name: _joined(one) for name, one in content.items()}}

    def present(self, payload: Payload) -> Description:
        """Return the released numbers as a DataFrame."""
        return described(payload)


def _cells(
    column: Column, counts: Counts, rules: list[Rule | None], params: DescribeParameters
) -> dict[str, Any]:
    numbers = {name: None if rule else to_base(number, params.round_to)
               for name, number, rule in zip(column.cells, counts.tolist(), rules, strict=True)}
    named = {("count" if name == "present" and column.values is not None else name): rule
             for name, rule in zip(column.cells, rules, strict=True) if rule}
    missing = numbers.pop(MISSING)
    if column.values is None:
        return {"levels": numbers, "missing": missing, "rules": named}
    return {"count": numbers["present"], "missing": missing, "rules": named}


def _statistics(
    closed: Rule | None, rule: Rule | None, found: Moments | None, searched: list[Quantile] | None,
    params: DescribeParameters,
) -> dict[str, Any]:
    values: dict[str, float | None] = dict.fromkeys(MOMENTS)
    rules: dict[str, Rule] = {}
    if rule:
        rules = dict.fromkeys(MOMENTS, rule)
    elif found is not None:
        values = dict(zip(MOMENTS, (found.mean, found.deviation, found.variance, found.skewness), strict=True))
    out: dict[str, Any] = {name: None if value is None else to_digits(value, params.digits)
                           for name, value in values.items()}
    if params.quantiles:
        for place, name in enumerate(QUANTILES):
            one = searched[place] if searched else None
            out[name] = None if one is None or one.value is None else to_digits(one.value, params.digits)
            if out[name] is None:
                rules[name] = closed or SMALL
        out["quantile_error"] = max((one.error for one in searched or [] if one.error is not None), default=None)
    return out | {"statistic_rules": rules}


def _dominance(field: governed.Field, found: Moments, minimum: int) -> Rule | None:
    """Return the rule by which a mean over enough rows would still tell of a few of them."""
    low, high = limits(field)
    if field.type == "integer" and high - low == 1.0:
        ones = round(found.rows * (found.mean - low))
        if 0 < ones < minimum or 0 < found.rows - ones < minimum:
            return SMALL
    return "dominance" if found.dominated(minimum, low) else None


def _joined(column: dict[str, Any]) -> dict[str, Any]:
    """Return a column's payload with the rules of counts and of statistics in one place."""
    for cells in column["groups"].values():
        cells["rules"] |= cells.pop("statistic_rules", {})
    return column
