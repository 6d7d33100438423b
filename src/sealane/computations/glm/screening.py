"""The first sum: how many rows there are of what, and whether that is enough to go on.

Only counts are summed before these rules have passed, so no mean over too few rows is ever opened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.glm.parameters import GlmParameters
from sealane.computations.glm.variables import Rows, Variables
from sealane.errors import RefusedError

ROWS_PER_COLUMN = 3
"""A model that follows its rows too closely gives them away. Source: DataSHIELD's nfilter.glm, 0.33."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts over the cohort. ``levels`` and ``known`` are taken over the rows that are kept."""

    rows: int
    kept: int
    positive: int
    missing: dict[str, int]
    known: dict[str, int]
    levels: dict[str, dict[str, int]]


async def take_counts(cohort: Cohort, rows: Rows, variables: Variables) -> Counts:
    """Sum the counts over the cohort: one sum."""
    kept = rows.kept
    missing = rows.missing()
    names = [feature.name for feature in variables.features]
    known = [int((kept & ~np.isnan(rows.numeric[feature.name])).sum()) for feature in variables.numeric]
    cells: list[tuple[str, str]] = []
    local: list[int] = []
    for category in variables.categories:
        cells += [(category.name, level) for level in category.levels]
        local += np.bincount(rows.codes[category.name][kept], minlength=len(category.levels)).tolist()
    for feature in variables.numeric:
        if feature.binary:
            cells += [(feature.name, level) for level in ("0", "1")]
            local += [int((kept & (rows.numeric[feature.name] == value)).sum()) for value in (0.0, 1.0)]
    head = [len(kept), int(kept.sum()), int((rows.outcome[kept] > 0).sum())]
    vector = [*head, *(missing[name] for name in names), *known, *local]
    total = (await cohort.sum({"counts": count(vector, MAXIMUM_ROWS)}))["counts"].tolist()
    levels: dict[str, dict[str, int]] = {}
    after_missing = len(head) + len(names)
    for (name, level), number in zip(cells, total[after_missing + len(known) :], strict=True):
        levels.setdefault(name, {})[level] = number
    return Counts(
        rows=total[0], kept=total[1], positive=total[2],
        missing=dict(zip(names, total[len(head) : after_missing], strict=True)),
        known=dict(zip((feature.name for feature in variables.numeric), total[after_missing:], strict=False)),
        levels=levels,
    )


def screen(counts: Counts, variables: Variables, params: GlmParameters, minimum_count: int) -> None:
    """Hold the counts against the minimum count.

    Raises:
        RefusedError: too few rows, a rare level, too few events, or an outcome that does not vary.
    """
    if counts.kept < minimum_count:
        worst = max(counts.missing, key=lambda name: counts.missing[name])
        raise RefusedError("glm.too-few-rows", "too few rows have outcome and features", got=f"under {minimum_count}",
                           expected=f"at least {minimum_count}",
                           hint=f"{worst!r} is missing most often: leave it out, or use missing = \"mean\"")
    for name, cells in counts.levels.items():
        rare = [level for level, number in cells.items() if 0 < number < minimum_count]
        if rare:
            raise RefusedError("glm.rare-level", f"{name!r} has levels with too few rows", got=", ".join(rare[:20]),
                               expected=f"at least {minimum_count} rows or none", hint="merge levels, or leave it out")
    for name, number in counts.known.items():
        if number < minimum_count:
            raise RefusedError("glm.mostly-missing", f"{name!r} is known in too few rows", got=f"under {minimum_count}",
                               expected=f"at least {minimum_count}", hint="leave it out")
    if params.family != "gaussian":
        _screen_events(counts, params.family, minimum_count)
    columns = len(variables.numeric) + sum(
        sum(number > 0 for number in counts.levels[category.name].values()) - 1 for category in variables.categories
    )
    if counts.kept < ROWS_PER_COLUMN * (columns + 1):
        raise RefusedError("glm.saturated", "too few rows for so many columns", got=f"{columns + 1} columns",
                           expected=f"at least {ROWS_PER_COLUMN} rows per column", hint="leave features out")


def _screen_events(counts: Counts, family: str, minimum_count: int) -> None:
    others = counts.kept - counts.positive
    if counts.positive == 0 or (family == "binomial" and others == 0):
        raise RefusedError("glm.constant-outcome", "the outcome does not vary", got="one value",
                           expected="rows with and without the event")
    if counts.positive < minimum_count or (family == "binomial" and others < minimum_count):
        raise RefusedError("glm.too-few-events", "too few rows have the rarer outcome", got=f"under {minimum_count}",
                           expected=f"at least {minimum_count}", hint="ask for more institutions or a longer period")
