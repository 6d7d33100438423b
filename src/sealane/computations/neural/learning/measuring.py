"""How well the cohort's model does on a node's rows: sums that add up over institutions. Private until then."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.neural.learning.device import Device
from sealane.computations.neural.learning.losses import loss_sum
from sealane.computations.neural.learning.training import tensors
from sealane.computations.neural.parameters import Task
from sealane.computations.neural.rows import Rows

WORST = 1e6
"""A row's mean loss counts as so much at most: sums need a public bound."""


def outputs_of(module: nn.Module, rows: Rows, device: Device) -> Iterator[tuple[Rows, NDArray[np.float64]]]:
    """Yield rows, as many at once as the device takes, and what the module gives for each, ``(n, outputs)``."""
    module.eval()
    at = 0
    while at < len(rows):

        def given(low: int = at) -> tuple[slice, NDArray[np.float64]]:
            piece = slice(low, min(low + device.most, len(rows)))
            numbers, codes, _ = tensors(rows, piece, device)
            return piece, module(numbers, codes).to(torch.float64).cpu().numpy()

        with device.threads(), torch.no_grad():
            piece, values = device.fit(len(rows) - at, given)
        yield rows.part(piece), values
        at = piece.stop


def loss_of(task: Task, given: NDArray[np.float64], rows: Rows) -> float:
    """Return the sum of losses over rows."""
    outcome = torch.from_numpy(rows.outcome if task == "multiclass" else rows.outcome.astype(np.float64))
    return float(loss_sum(task, torch.from_numpy(given), outcome))


def mean_of(total: float, rows: int) -> float:
    """Return the mean loss over rows, at most :data:`WORST`, and that where it is no number; 0 without rows."""
    if not rows:
        return 0.0
    return min(total / rows, WORST) if math.isfinite(total) else WORST
