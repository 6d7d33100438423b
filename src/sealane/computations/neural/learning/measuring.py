"""How well the cohort's model does on a node's rows: sums that add up over institutions. Private until then."""

from __future__ import annotations

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


def outputs_of(module: nn.Module, rows: Rows, device: Device) -> NDArray[np.float64]:
    """Return what the module gives for each row, ``(n, outputs)``."""
    module.eval()

    def given() -> NDArray[np.float64]:
        parts = [np.empty((0, 1))]
        for piece in device.pieces(len(rows)):
            numbers, codes, _ = tensors(rows, piece, device)
            parts.append(module(numbers, codes).to(torch.float64).cpu().numpy())
        return np.concatenate(parts[1:] or parts)

    with device.threads(), torch.no_grad():
        return device.fit(len(rows), given)


def mean_loss(task: Task, given: NDArray[np.float64], rows: Rows) -> float:
    """Return the mean loss over rows, at most :data:`WORST`, and that where it is no number; 0 without rows."""
    if not len(rows):
        return 0.0
    outcome = torch.from_numpy(rows.outcome if task == "multiclass" else rows.outcome.astype(np.float64))
    loss = float(loss_sum(task, torch.from_numpy(given), outcome)) / len(rows)
    return min(loss, WORST) if np.isfinite(loss) else WORST
