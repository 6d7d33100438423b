"""The first sum of a run: which rows, levels and classes there are, and whether that is enough to go on.

Only counts are summed before these rules have passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import check_contributors, check_rows
from sealane.computations.neural.inputs import Category, Inputs, Own
from sealane.computations.neural.outcome import Target
from sealane.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Split:
    """A node's own rows by what they are for. Private.

    Attributes:
        training: rows that are learned from.
        validation: rows on which the loss is measured only.
    """

    training: NDArray[np.bool_]
    validation: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Screened:
    """What the first sum says; public.

    Attributes:
        rows: all rows of the cohort.
        training: rows that are learned from, and ``validation`` those that are not.
        contributors: institutions that have rows to learn from.
        inputs: features, with the levels that are told apart.
        basis: whose rows the model rests on.
    """

    rows: int
    training: int
    validation: int
    contributors: int
    inputs: Inputs
    basis: dict[str, Any]


async def screen(cohort: Cohort, inputs: Inputs, target: Target, own: Own, outcome: NDArray[np.float64],
                 split: Split) -> Screened:
    """Count, and hold the counts against the rules.

    Raises:
        RefusedError: too few rows, events or institutions, or a feature that is hardly known.
    """
    total = await cohort.sum(_counts(inputs, target, own, outcome, split))
    (rows, training, validation), (contributors, validating) = total["rows"].tolist(), total["institutions"].tolist()
    minimum = cohort.minimum_count
    check_rows(training, minimum, "ask for more institutions or a longer period, or missing = \"mean\"")
    basis = check_contributors(contributors, cohort, dict(zip(inputs.names, total["everywhere"].tolist(), strict=True)))
    if bool(split_asked := validation > 0) and (validation < minimum or validating < cohort.smallest):
        raise RefusedError("neural.small-validation", "too few rows are left to validate on",
                           got=f"under {minimum} rows, or under {cohort.smallest} institutions",
                           expected=f"at least {minimum} of {cohort.smallest}", hint="raise validation_fraction")
    for part in ("classes", "validation classes") if split_asked else ("classes",):
        if any(number < minimum for number in total.get(part, np.empty(0)).tolist()):
            raise RefusedError("neural.too-few-events", "too few rows have one of the outcomes",
                               got=f"under {minimum}", expected=f"at least {minimum}",
                               hint="ask for more institutions or a longer period, or merge classes")
    for number, known in zip(inputs.numbers, total.get("known", np.empty(0)).tolist(), strict=True):
        if known < minimum:
            raise RefusedError("model.mostly-missing", f"{number.name!r} is known in too few rows",
                               got=f"under {minimum}", expected=f"at least {minimum}", hint="leave it out")
    categories = tuple(_told_apart(one, total[f"level {one.name}"], total[f"with level {one.name}"], training, cohort)
                       for one in inputs.categories)
    return Screened(rows, training, validation, contributors, replace(inputs, categories=categories), basis)


def _counts(inputs: Inputs, target: Target, own: Own, outcome: NDArray[np.float64],
            split: Split) -> Mapping[str, Any]:
    training, validation = split.training, split.validation
    everyone = len(training) > 0
    out: dict[str, list[int]] = {
        "rows": [len(training), int(training.sum()), int(validation.sum())],
        "known": [int((training & ~np.isnan(own.numbers[one.name])).sum()) for one in inputs.numbers],
        "classes": [int((outcome[training] == place).sum()) for place in range(target.kinds)],
        "validation classes": [int((outcome[validation] == place).sum()) for place in range(target.kinds)],
    }
    flags: dict[str, list[int]] = {
        "institutions": [int(training.any()), int(validation.any())],
        "everywhere": [int(everyone and bool(own.missing(name).all())) for name in inputs.names],
    }
    for one in inputs.categories:
        places = own.codes[one.name][training]
        numbers = np.bincount(places[places >= 0], minlength=len(one.levels))
        out[f"level {one.name}"] = numbers.tolist()
        flags[f"with level {one.name}"] = (numbers > 0).astype(int).tolist()
    return ({name: count(values, MAXIMUM_ROWS) for name, values in out.items() if values}
            | {name: count(values, 1) for name, values in flags.items() if values})


def _told_apart(category: Category, of_level: NDArray[np.int64], behind: NDArray[np.int64], rows: int,
                cohort: Cohort) -> Category:
    """Keep the levels with rows enough, at institutions enough; the rest share one embedding.

    Where the rest would be fewer rows than the minimum count, the rarest levels join it.
    """
    numbers, institutions = of_level.tolist(), behind.tolist()
    least = 1 if cohort.exposed else cohort.smallest
    apart = [place for place in range(len(numbers)) if numbers[place] >= cohort.minimum_count
             and institutions[place] >= least]
    others = rows - sum(numbers[place] for place in apart)
    while apart and 0 < others < cohort.minimum_count:
        rarest = min(apart, key=lambda place: (numbers[place], place))
        apart.remove(rarest)
        others += numbers[rarest]
    return replace(category, apart=tuple(apart))
