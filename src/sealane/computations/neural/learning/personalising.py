"""A released model made one's own, over rows that one has: nothing of it goes anywhere. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from sealane.computations.columns import level_names
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.inputs import encode
from sealane.computations.neural.learning.device import choose
from sealane.computations.neural.learning.personal import HEAD
from sealane.computations.neural.learning.training import Trainer
from sealane.computations.neural.learning.weights import put, shapes_of, take
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.rows import Rows
from sealane.computations.trees.sampling import private_seed
from sealane.errors import InputError

Method = Literal["finetune", "ditto", "head"]


def personalise(module: nn.Module, payload: Mapping[str, Any], rows: pd.DataFrame, method: Method,
                epochs: int) -> dict[str, NDArray[Any]]:
    """Train a released model further on rows of one's own, and return its weights by name.

    Args:
        module: the released model; it is changed.
        payload: of the result.
        rows: with features and outcome.
        method: ``finetune``; ``ditto``: pulled towards the released model; ``head``: the last layer alone.
        epochs: passes over the rows.

    Raises:
        InputError: a column is missing or holds something else, or the module has no head.
    """
    params = NeuralParameters.model_validate(payload["parameters"])
    params = params.model_copy(update={"local_epochs": epochs, "local_steps": None})
    if method == "head":
        shapes_of(module, apart=HEAD)
        for name, weight in module.named_parameters():
            weight.requires_grad = name.partition(".")[0] == HEAD
    own = _rows(rows, payload)
    real = np.dtype(payload["weights"]["dtype"])
    outcome = own.outcome if payload["task"] == "multiclass" else own.outcome.astype(real)
    own = Rows(own.numbers.astype(real), own.codes, outcome)
    shapes = shapes_of(module)
    device = choose("single", shapes.length)
    draws = Draws(private_seed(params.seed, own.numbers, own.codes, own.outcome))
    trainer = Trainer(module.to(device.name), shapes, payload["task"], own, params, device, draws,
                      params.personal_pull if method == "ditto" else 0.0)
    start = take(module, shapes, np.float64)
    put(module, shapes, start + trainer.train(start).update)
    return {name: weight.detach().cpu().numpy().copy() for name, weight in module.named_parameters()}


def _rows(frame: pd.DataFrame, payload: Mapping[str, Any]) -> Rows:
    """Return the rows whose outcome is known, in the model's units."""
    name = payload["outcome"]
    if name not in frame.columns:
        raise InputError("model.missing-column", "the outcome is not among the columns", got=f"no {name!r}",
                         expected="features and outcome")
    known = frame[frame[name].notna()]
    numbers, codes = encode(known, payload["features"])
    if payload["classes"]:
        places = {level: place for place, level in enumerate(payload["classes"])}
        found = level_names(known[name], places).map(places)
        if found.isna().any() or found.empty:
            raise InputError("columns.outside-contract", f"column {name!r} holds values that are none of its levels",
                             expected=", ".join(payload["classes"][:20]))
        return Rows(numbers, codes, found.to_numpy(np.int64))
    try:
        values = known[name].to_numpy().astype(np.float64)
    except (TypeError, ValueError):
        raise InputError("columns.not-numeric", f"column {name!r} holds values that are no numbers",
                         expected="numbers") from None
    return Rows(numbers, codes, (values - payload["centre"]) / payload["scale"])
