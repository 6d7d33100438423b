"""A released model as a module again. Imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.neural.learning.modules.build import build, put_first_weights
from sealane.computations.neural.parameters import NeuralParameters


def rebuild(payload: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> nn.Module:
    """Return the module of a payload, in evaluation mode."""
    params = NeuralParameters.model_validate(payload["parameters"])
    outputs = len(payload["classes"]) if payload["task"] == "multiclass" else 1
    module = build(params.model, payload["numbers"], payload["sizes"], outputs)
    put_first_weights(module, params.seed)  # where heads are not shared, the released model has none but the first
    if payload["weights"]["dtype"] == "float64":
        module.double()
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.items()}, strict=False)
    return module.eval()


def apply(module: nn.Module, numbers: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what a module gives for rows."""
    weight = next(module.parameters())
    with torch.no_grad():
        given = module(torch.from_numpy(numbers).to(weight.dtype), torch.from_numpy(codes))
    found: NDArray[np.float64] = given.double().numpy()
    return found
