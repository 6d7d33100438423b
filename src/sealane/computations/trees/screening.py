"""The first sums of a run: which rows, levels and classes there are, and whether that is enough to go on.

Only counts are summed before these rules have passed. A value that is missing in fewer rows than the minimum count
would make a bin of so few; those rows are left out, and what is left is counted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import check_contributors, check_rows
from sealane.computations.trees.rows import Asked, Own
from sealane.errors import RefusedError

REPEATS = 8
MOST_LEVELS = 254
"""A bin is one byte, and one of them is for all levels that are not told apart."""


@dataclass(frozen=True, slots=True)
class Screened:
    """What the first sums say; public, but for ``kept``.

    Attributes:
        rows: all rows of the cohort.
        used: rows that the model uses.
        kept: which own rows it uses.
        missing: rows used in which a feature is missing.
        levels: places of the levels of a category that are told apart, the others being one; by name.
        basis: whose rows the model rests on.
    """

    rows: int
    used: int
    kept: NDArray[np.bool_]
    missing: dict[str, int]
    levels: dict[str, tuple[int, ...]]
    basis: dict[str, Any]


async def screen(cohort: Cohort, asked: Asked, own: Own, least: int) -> Screened:
    """Count, leave rows out where a rule says so, and hold the counts against the rules.

    Args:
        cohort: of the run.
        asked: of the run.
        own: rows.
        least: fewest rows of a leaf.

    Raises:
        RefusedError: too few rows, events or institutions, or a feature that is hardly known.
    """
    kept = ~np.isnan(own.outcome) & (own.weight > 0)
    everyone = 0
    for turn in range(REPEATS):
        total = await cohort.sum(_counts(asked, own, kept))
        if turn == 0:
            everyone = int(total["rows"][0])
        few = [f.name for place, f in enumerate(asked.features)
               if not f.levels and 0 < int(total["missing"][place]) < cohort.minimum_count]
        if not few:
            return _screened(cohort, asked, kept, everyone, total, least)
        for name in few:
            kept = kept & ~own.missing(name)
    raise RefusedError("trees.missing-scattered", "too few rows miss one feature or another, again and again",
                       got=f"still after {REPEATS} counts", expected="rows that are complete, or many that are not",
                       hint="fill or leave out the features that are rarely missing")


def _counts(asked: Asked, own: Own, kept: NDArray[np.bool_]) -> dict[str, Any]:
    classes = range(2) if asked.target.objective == "binary" else range(len(asked.target.classes))
    present = [own.missing(f.name)[kept] for f in asked.features]
    out = {
        "rows": [len(kept), int(kept.sum())],
        "missing": [int(missing.sum()) for missing in present],
        "classes": [int((own.outcome[kept] == place).sum()) for place in classes],
        "outcome": [int((own.outcome[kept] > 0).sum())],
    }
    flags = {
        "institutions": [int(kept.any())],
        "everywhere": [int(kept.any() and bool(missing.all())) for missing in present],
    }
    for feature in asked.features:
        if feature.levels:
            places = own.features[feature.name][kept].astype(np.int64)
            numbers = np.bincount(places[places >= 0], minlength=len(feature.levels))
            out[f"level {feature.name}"] = numbers.tolist()
            flags[f"with level {feature.name}"] = (numbers > 0).astype(int).tolist()
    return ({name: count(values, MAXIMUM_ROWS) for name, values in out.items() if values}
            | {name: count(values, 1) for name, values in flags.items() if values})


def _screened(cohort: Cohort, asked: Asked, kept: NDArray[np.bool_], everyone: int, total: dict[str, Any],
              least: int) -> Screened:
    used, contributors = int(total["rows"][1]), int(total["institutions"][0])
    check_rows(used, cohort.minimum_count)
    names = [feature.name for feature in asked.features]
    missing = dict(zip(names, total["missing"].tolist(), strict=True))
    basis = check_contributors(contributors, cohort, dict(zip(names, total["everywhere"].tolist(), strict=True)))
    if used < 2 * least:
        raise RefusedError("trees.too-few-rows", "too few rows for a single split", got=f"{used} rows",
                           expected=f"at least {2 * least}",
                           hint="a leaf holds 20 times the minimum count, or min_data_in_leaf")
    for number in total.get("classes", np.empty(0)).tolist():
        if number < cohort.minimum_count:
            raise RefusedError("trees.too-few-events", "too few rows have one of the outcomes",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}",
                               hint="ask for more institutions or a longer period, or merge classes")
    if int(total["outcome"][0]) < cohort.minimum_count and asked.target.objective == "poisson":
        raise RefusedError("trees.too-few-events", "too few rows have an event", got=f"under {cohort.minimum_count}",
                           expected=f"at least {cohort.minimum_count}")
    for name in names:
        if used - missing[name] < cohort.minimum_count:
            raise RefusedError("trees.mostly-missing", f"{name!r} is known in too few rows",
                               got=f"under {cohort.minimum_count}", expected=f"at least {cohort.minimum_count}",
                               hint="leave it out")
    levels = {f.name: _told_apart(total[f"level {f.name}"], total[f"with level {f.name}"], missing[f.name], cohort)
              for f in asked.features if f.levels}
    return Screened(everyone, used, kept, missing, levels, basis)


def _told_apart(numbers: NDArray[np.int64], behind: NDArray[np.int64], missing: int, cohort: Cohort) -> tuple[int, ...]:
    """Return the levels with rows enough, at institutions enough; the rest must not be fewer than the minimum count.

    A level of one institution alone would make a split that shows that institution, and so bar every other.
    """
    rows, institutions = numbers.tolist(), behind.tolist()
    apart = [place for place in range(len(rows))
             if rows[place] >= cohort.minimum_count and institutions[place] >= cohort.smallest]
    others = missing + sum(rows) - sum(rows[place] for place in apart)
    while apart and (0 < others < cohort.minimum_count or len(apart) > MOST_LEVELS):
        least = min(apart, key=lambda place: (rows[place], place))
        apart.remove(least)
        others += rows[least]
    return tuple(apart)
