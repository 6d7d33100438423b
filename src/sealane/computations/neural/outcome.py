"""The outcome of a network: which column, what kind of task, and a node's own values of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.columns import codes, floats, limits
from sealane.computations.neural.parameters import NeuralParameters, Task
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

MOST_CLASSES = 256


@dataclass(frozen=True, slots=True)
class Target:
    """What the contract says of the outcome; once known, where a number's values lie over the cohort."""

    field: Field
    task: Task
    low: float
    high: float
    classes: tuple[str, ...] = ()
    centre: float = 0.0
    scale: float = 1.0

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for a row."""
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def kinds(self) -> int:
        """Outcomes whose rows are counted: classes, or the two of a binary outcome."""
        return {"binary": 2, "multiclass": len(self.classes), "regression": 0}[self.task]

    def read(self, series: pd.Series[float]) -> NDArray[np.float64]:
        """Return a node's values, missing as NaN: of a category, its class's place.

        Raises:
            InputError: the rows break the contract, or a value is neither 0 nor 1 where it must be.
        """
        if self.classes:
            places = codes(series, self.classes, self.field.name)
            return np.where(places < 0, np.nan, places.astype(np.float64))
        values = floats(series, self.field)
        if self.task == "binary" and bool((~np.isnan(values) & (values != 0) & (values != 1)).any()):
            raise InputError("outcome.values", f"column {self.field.name!r} holds values other than 0 and 1",
                             expected="0 or 1")
        return values


def read_target(contract: Contract, params: NeuralParameters) -> Target:
    """Hold a column of the contract against the task.

    Raises:
        InputError: it cannot be the outcome.
    """
    field = contract.field(params.outcome)
    task = params.task or _fitting(field)

    def wrong(expected: str) -> InputError:
        return InputError("outcome.type", f"column {field.name!r} cannot be the outcome of a {task} network",
                          got=field.type, expected=expected)

    if field.type == "category" and task != "regression":
        most = 2 if task == "binary" else MOST_CLASSES
        if not 2 <= len(field.allowed) <= most:
            raise wrong("two levels" if task == "binary" else f"2 to {MOST_CLASSES} levels")
        return Target(field, task, 0.0, float(len(field.allowed) - 1), field.allowed)
    if task == "multiclass" or field.type not in ("number", "integer", "boolean"):
        raise wrong("a category" if task == "multiclass" else "a numeric field")
    low, high = limits(field)
    if task == "binary" and (low, high) != (0.0, 1.0):
        raise wrong("a boolean, numbers 0 and 1, or a category of two levels")
    return Target(field, task, low, high)


def _fitting(field: Field) -> Task:
    if field.type == "category":
        return "binary" if len(field.allowed) == 2 else "multiclass"
    if field.type == "boolean" or (field.type == "integer" and limits(field) == (0.0, 1.0)):
        return "binary"
    return "regression"
