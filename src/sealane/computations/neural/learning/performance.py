"""How the released model does over the cohort: from one sum, in the measures of its task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, count, real
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.neural.learning.measuring import WORST, loss_of, mean_of, outputs_of
from sealane.computations.neural.learning.rounds import Rounds
from sealane.computations.neural.learning.weights import put
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.vector import Vector
from sealane.computations.trees.ranking import cells_of, ranked

Metrics = dict[str, dict[str, float]]


async def measure(cohort: Cohort, rounds: Rounds, target: Target, weights: Vector, rows: Mapping[str, int]) -> Metrics:
    """Return the model's measures on the rows it learned from, and on those it did not.

    Args:
        cohort: of the run.
        rounds: of this node: module, rows and shares.
        target: of the model.
        weights: of the model.
        rows: over the cohort, by part; opened counts.
    """
    trainer = rounds.trainer
    put(trainer.module, trainer.shapes, weights)
    shares = rounds.shares
    own = {"training": (trainer.rows, shares.training), "validation": (rounds.validation, shares.validation)}
    terms: dict[str, Term] = {}
    for part in (name for name, number in rows.items() if number):
        mine, share = own[part]
        losses, counted = list[float](), _none(target)
        for piece, given in outputs_of(trainer.module, mine, trainer.device):
            losses.append(loss_of(target.task, given, piece))
            counted += _counts(target, given, piece)
        terms[f"{part} loss"] = real([mean_of(math.fsum(losses), len(mine)) * share], WORST)
        if counted.size:
            terms[f"{part} counts"] = count(counted, MAXIMUM_ROWS)
    opened = await cohort.sum(terms)
    return {part: _measures(target, opened, part, number) for part, number in rows.items() if number}


def _none(target: Target) -> NDArray[np.int64]:
    """Return the counts of no rows."""
    return {"binary": cells_of(np.empty(0), np.empty(0, np.bool_)), "multiclass": np.zeros(1, np.int64),
            "regression": np.zeros(0, np.int64)}[target.task]


def _counts(target: Target, given: NDArray[np.float64], rows: Rows) -> NDArray[np.int64]:
    if target.task == "binary":
        return cells_of(given[:, 0], rows.outcome == 1)
    if target.task == "multiclass":
        return np.array([int((given.argmax(axis=1) == rows.outcome).sum())])
    return _none(target)


def _measures(target: Target, opened: Mapping[str, NDArray[Any]], part: str, rows: int) -> dict[str, float]:
    loss = float(opened[f"{part} loss"][0])
    if target.task == "binary":
        return {"loss": loss} | ranked(opened[f"{part} counts"])
    if target.task == "multiclass":
        return {"loss": loss, "accuracy": int(opened[f"{part} counts"][0]) / rows}
    return {"loss": loss, "rmse": math.sqrt(loss) * target.scale}
