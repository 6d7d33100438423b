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
    return _loss(task, given, outcome, "sum")


def loss_rows(task: Task, given: Tensor, outcome: Tensor) -> Tensor:
    """Return the loss of each row, ``(n,)``. Arguments as for :func:`loss_sum`."""
    return _loss(task, given, outcome, "none")


def _loss(task: Task, given: Tensor, outcome: Tensor, reduction: str) -> Tensor:
    if given.dtype != torch.float64:
        given = given.float()  # half precision is for layers only
    if task == "multiclass":
        return functional.cross_entropy(given, outcome, reduction=reduction)
    if task == "binary":
        return functional.binary_cross_entropy_with_logits(given[:, 0], outcome, reduction=reduction)
    return functional.mse_loss(given[:, 0], outcome, reduction=reduction)
