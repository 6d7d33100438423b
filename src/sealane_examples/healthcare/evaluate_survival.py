"""Compare the joint Cox model with each institution alone and with all rows pooled, by lifelines.

This stands outside the federation: it is the one place where rows of all institutions meet. The joint model was fitted
to times on a public grid; the pooled one is fitted to the same grid, which it must equal, and to the times as they
were, which says what the grid costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from sealane.errors import InputError
from sealane_examples.design import INTERCEPT, design_columns, design_matrix, linear_scores
from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT
from sealane_examples.healthcare.evaluate_curves import ReleasedCurves, curve_costs
from sealane_examples.logistic import Fitted, JointModel, by_model, coefficients
from sealane_examples.question import parse
from sealane_examples.written import read_part

ROUNDING = 1e-9
"""Share by which a time may exceed one of the grid and still be that one."""


class SurvivalQuestion(BaseModel):
    """What ``evaluate`` reads on standard input: the joint model, and the grid that its times were put on.

    Attributes:
        grid: times of events after merging, one for each interval, ascending.
        until: ends of these intervals: an event happens at the time of the first that ends not before it.
        resolution: width of the grid before.
        minimum_count: fewest rows that leave at a time.
        curves: released survival curves, to be held against those of the pooled rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: list[str] = Field(min_length=1)
    categorical: list[str] = Field(default_factory=list)
    grid: list[FiniteFloat] = Field(min_length=1)
    until: list[FiniteFloat] = Field(min_length=1)
    resolution: FiniteFloat = Field(gt=0)
    minimum_count: int = Field(default=10, ge=1)
    joint: JointModel
    curves: list[ReleasedCurves] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_time_an_interval(self) -> SurvivalQuestion:
        if len(self.grid) != len(self.until):
            raise ValueError("grid and until are of one length")
        return self


def parse_question(text: str) -> SurvivalQuestion:
    """Return the question, checked.

    Raises:
        InputError: it is not the JSON described by :class:`SurvivalQuestion`.
    """
    shape = (
        '{"features": [...], "categorical": [...], "grid": [times], "until": [ends], "resolution": width, '
        '"joint": {"params": {...}, "bse": {...}}}'
    )
    return parse(SurvivalQuestion, text, shape)


def evaluate(directory: Path, example: Example, question: SurvivalQuestion) -> dict[str, Any]:
    """Return concordance on the held-out fold, coefficients, and the cost of the grid, as JSON-ready values.

    Raises:
        InputError: the prepared files or the question do not fit the example.
    """
    from lifelines.utils import concordance_index

    parts = {name: read_part(directory, name, example.name) for name in example.institutions}
    fold = read_part(directory, HELD_OUT, example.name)
    rows = pd.concat([part.assign(institution=name) for name, part in parts.items()], ignore_index=True)
    assert example.duration is not None

    pooled = fit(on_grid(rows, example, question), example, question)
    ungridded = fit(rows, example, question)
    joint = question.joint
    models = {name: fit(part, example, question).params for name, part in parts.items()}
    models |= {"joint": joint.params, "pooled": pooled.params}

    def concordance(own: NDArray[np.bool_], params: Mapping[str, float]) -> float:
        chosen = fold[own]
        scores = linear_scores(chosen, params)
        return float(concordance_index(chosen[example.duration], -scores, chosen[example.outcome]))

    everyone = np.ones(len(fold), dtype=np.bool_)
    homes = {name: (fold["institution"] == name).to_numpy() for name in example.institutions}
    return {
        "concordance": by_model({name: concordance(everyone, params) for name, params in models.items()},
                                example.institutions),
        "within": {
            name: {
                "alone": concordance(own, models[name]),
                "joint": concordance(own, joint.params),
                "pooled": concordance(own, pooled.params),
                "rows": int(own.sum()),
                "events": int(fold[example.outcome][own].sum()),
            }
            for name, own in homes.items()
        },
        "coefficients": coefficients(joint.params, joint.bse, pooled.params, rows),
        "grid": grid_cost(joint, pooled, ungridded, question.resolution),
        "curves": [curve_costs(rows, example, released) for released in question.curves],
        "rows": {name: len(part) for name, part in parts.items()},
        "heldout": {"rows": len(fold), "events": int(fold[example.outcome].sum())},
    }


def on_grid(rows: pd.DataFrame, example: Example, question: SurvivalQuestion) -> pd.DataFrame:
    """Return the rows with each time where the federation has it.

    An event is at the released time of the first interval that ends not before it. Leavings are put on the ends of the
    grid's intervals, of which neighbours are joined, from the left, until as many rows leave as the minimum count; what
    is left joins the last; and all leave where half of them have. This is the rule of the documentation, written down
    once more.

    Raises:
        InputError: an event lies past the grid.
    """
    times = rows[str(example.duration)].to_numpy(dtype=np.float64)
    events = rows[example.outcome].to_numpy() == 1
    place = next_of(question.until, times[events])
    if bool((place >= len(question.until)).any()):
        raise InputError("example.grid-too-short", "events lie past the end of the grid", got=f"{question.until[-1]:g}",
                         expected="a grid that holds every event of a training row")
    placed = times.copy()
    placed[events] = np.asarray(question.grid)[place]
    step = np.ceil(times[~events] / question.resolution * (1.0 - ROUNDING)) * question.resolution
    ends = joined(step, question.minimum_count)
    own = next_of(ends, step)
    together = [np.sort(step[own == j]) for j in range(len(ends))]
    placed[~events] = np.array([some[(len(some) - 1) // 2] for some in together])[own]
    return rows.assign(**{str(example.duration): placed})


def joined(times: NDArray[np.float64], minimum_count: int) -> list[float]:
    """Return the ends of the intervals in each of which so many times lie."""
    ends: list[float] = []
    run = 0
    for time, number in zip(*np.unique(times, return_counts=True), strict=True):
        run += int(number)
        if run >= minimum_count:
            ends.append(float(time))
            run = 0
    if run:
        ends = [*ends[:-1], float(times.max())]
    return ends


def next_of(ends: Sequence[float], times: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the place of the first end that is not before each time."""
    edges = np.asarray(ends, dtype=np.float64)
    return np.searchsorted(edges + ROUNDING * np.maximum(1.0, edges), times)


def fit(rows: pd.DataFrame, example: Example, question: SurvivalQuestion) -> Fitted:
    """Fit the Cox model with Efron's ties, as lifelines does."""
    from lifelines import CoxPHFitter

    columns = [name for name in design_columns(rows, question.features, question.categorical, question.joint.params)
               if name != INTERCEPT]
    table = pd.DataFrame(design_matrix(rows, columns), columns=columns)
    table[[str(example.duration), example.outcome]] = rows[[example.duration, example.outcome]].to_numpy()
    # With steps of the usual length lifelines is led astray where a rare column weighs much, and ends, without a word,
    # where the likelihood is not greatest. Short steps come near slowly, so the precision asked for is higher.
    model = CoxPHFitter().fit(table, example.duration, example.outcome,
                              fit_options={"precision": 1e-13, "step_size": 0.25})
    return Fitted(
        params={name: float(model.params_[name]) for name in columns},
        bse={name: float(model.standard_errors_[name]) for name in columns},
    )


def grid_cost(joint: JointModel, pooled: Fitted, ungridded: Fitted, resolution: float) -> dict[str, Any]:
    """Return how far the joint model is from the pooled one on the grid, and from that on times as they were."""
    names = list(joint.params)
    return {
        "resolution": resolution,
        "furthest_from_pooled": max(abs(joint.params[name] - pooled.params[name]) for name in names),
        "ungridded": {name: ungridded.params[name] for name in names},
        "furthest_from_ungridded_in_se": max(
            abs(joint.params[name] - ungridded.params[name]) / ungridded.bse[name] for name in names
        ),
    }
