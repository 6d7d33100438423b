"""A trial on made-up rows: whether gradients of single rows are what one pass backward for each row gives."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.neural.learning.device import Device
from sealane.computations.neural.learning.losses import loss_sum
from sealane.computations.neural.learning.training import tensors
from sealane.computations.neural.learning.weights import take
from sealane.computations.neural.parameters import Task
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.vector import Shapes, Vector
from sealane.errors import InputError

ROWS = 3
TOLERANCE = 1e-3
Total = Callable[[nn.Module, Rows, Vector], NDArray[np.float64]]


def check_trial(module: nn.Module, shapes: Shapes, task: Task, like: Rows, clip: float, total: Total) -> None:
    """Refuse a module whose rows' gradients come out otherwise than row by row: it mixes rows, or uses a weight twice.

    Args:
        module: stays as it is; a copy without dropout is tried, on the processor.
        shapes: of what is trained.
        task: of the model.
        like: rows of the kind that it takes; none of their values is used.
        clip: largest norm of a row's gradient.
        total: gives the sum of clipped gradients, of a module, rows and weights.

    Raises:
        InputError: ``neural.module-not-private``.
    """
    tried = copy.deepcopy(module).cpu().train()
    for part in tried.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.p = 0.0
    size = like.numbers.shape[1]
    rows = Rows(1.5 * np.sin(1.0 + np.arange(ROWS * size)).reshape(ROWS, size).astype(like.numbers.dtype),
                np.array([[0], [1], [0]]).repeat(like.codes.shape[1], axis=1),
                np.array([0, 1, 1]).astype(like.outcome.dtype))
    weights = take(tried, shapes, np.float64)
    expected = sum(_clipped(tried, shapes, task, rows, place, clip) for place in range(ROWS))
    try:
        found = total(tried, rows, weights)
        apart = np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * clip)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError, ValueError):
        apart = False  # Opacus has a different failure for each layer that it does not know
    if not apart:
        raise InputError("neural.module-not-private", "Opacus cannot tell the rows of this module apart",
                         got=type(module).__name__, expected="layers that treat each row by itself, called once",
                         hint="name mlp, cnn1d or cnn")


def _clipped(module: nn.Module, shapes: Shapes, task: Task, rows: Rows, place: int,
             clip: float) -> NDArray[np.float64]:
    module.zero_grad(set_to_none=True)
    numbers, codes, outcome = tensors(rows, slice(place, place + 1), Device("cpu", False, shapes.length))
    torch.autograd.backward(loss_sum(task, module(numbers, codes), outcome))
    named = dict(module.named_parameters())
    parts = [named[name].grad for name, _ in shapes.of]
    flat = np.concatenate([np.zeros(named[name].numel()) if part is None else part.flatten().double().numpy()
                           for part, (name, _) in zip(parts, shapes.of, strict=True)])
    module.zero_grad(set_to_none=True)
    return np.asarray(flat * min(1.0, clip / max(float(np.linalg.norm(flat)), 1e-300)))
