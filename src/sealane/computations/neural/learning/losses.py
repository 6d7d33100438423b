"""Losses by task: sums over rows, so that pieces of a batch and institutions add up."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sealane.computations.neural.parameters import Task

NAMES: dict[Task, str] = {"binary": "binary cross-entropy", "multiclass": "cross-entropy",
                          "regression": "squared error in units of the outcome's variance"}


def loss_sum(task: Task, given: Tensor, outcome: Tensor) -> Tensor:
    """Return the loss summed over rows.

    Args:
        task: of the model.
        given: logits, or standardised values, ``(n, outputs)``.
        outcome: class places for ``multiclass``, else floats, ``(n,)``.
    """
    if given.dtype != torch.float64:
        given = given.float()  # half precision is for layers only
    if task == "multiclass":
        return functional.cross_entropy(given, outcome, reduction="sum")
    if task == "binary":
        return functional.binary_cross_entropy_with_logits(given[:, 0], outcome, reduction="sum")
    return functional.mse_loss(given[:, 0], outcome, reduction="sum")
