"""A node's part of a round: some steps of its optimiser over its own rows, from the cohort's model.

What differs from one way of training to another comes in as a :class:`Local`: how a step's gradient is bent, and what
is remembered from round to round.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.neural.draws import Draws
from sealane.computations.neural.learning.device import Device
from sealane.computations.neural.learning.losses import loss_sum
from sealane.computations.neural.learning.weights import put, take
from sealane.computations.neural.parameters import NeuralParameters, Task
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.vector import Shapes, Vector


@dataclass(frozen=True, slots=True)
class Step:
    """What a local training gave. Private.

    Attributes:
        update: weights after less weights before, as the module holds them; NaN where a loss was no number.
        loss: mean over the rows of all batches, each before its step.
        steps: of the optimiser.
    """

    update: Vector
    loss: float
    steps: int


class Bend(Protocol):
    """Something that changes the gradient of a step before it is taken."""

    def __call__(self, module: nn.Module) -> None:
        """Change the gradients of the module's parameters in place."""


@dataclass(slots=True)
class Trainer:
    """Trains one module on one node's rows.

    Attributes:
        module: on its device; its weights are the trainer's to change.
        shapes: of what is trained together.
        task: of the model.
        rows: own ones to learn from.
        params: of the study.
        device: of this node.
        draws: of this node alone: the order of its rows, and what its layers draw.
        proximal: Flower's proximal term: a pull of the weights towards those that the round began with.
        bends: what else changes gradients, in order.
        seconds: after which no further step is begun in a round; the first one always is.
        clock: seconds, monotonic.
    """

    module: nn.Module
    shapes: Shapes
    task: Task
    rows: Rows
    params: NeuralParameters
    device: Device
    draws: Draws
    proximal: float = 0.0
    bends: list[Bend] = field(default_factory=list)
    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    _round: int = 0

    def train(self, start: Vector, towards: Vector | None = None) -> Step:
        """Return what a round of local steps makes of weights.

        Args:
            start: the cohort's weights, or a node's own.
            towards: what the proximal term pulls to; ``start`` if not given.
        """
        self._round += 1
        began = self.clock()
        put(self.module, self.shapes, start)
        before = take(self.module, self.shapes, start.dtype)
        if not len(self.rows):
            return Step(np.zeros_like(before), 0.0, 0)
        anchor = self._anchor(start if towards is None else towards) if self.proximal else {}
        optimizer = _optimizer(self.params, self._trained())
        self.module.train()
        total, seen, steps = 0.0, 0, 0
        with self.device.threads(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(self.draws.number(f"layers {self._round}"))
            for batch in self._batches():
                total += self.device.fit(len(batch), partial(self._gradient, optimizer, batch))
                seen += len(batch)
                steps += 1
                self._bend(anchor)
                optimizer.step()
                if not math.isfinite(total) or (self.seconds is not None and self.clock() - began >= self.seconds):
                    break
        update = take(self.module, self.shapes, start.dtype) - before
        return Step(update if math.isfinite(total) else np.full_like(update, np.nan), total / max(seen, 1), steps)

    def _trained(self) -> list[nn.Parameter]:
        return [one for one in self.module.parameters() if one.requires_grad]

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """Yield places of rows, batch by batch: each row once in a pass, in an order nobody else knows."""
        rows = len(self.rows)
        size = self.params.batch_size or rows

        def one_pass(number: int) -> Iterator[NDArray[np.int64]]:
            order = self.draws.order(f"pass {self._round} {number}", rows) if size < rows else np.arange(rows)
            return (order[low : low + size] for low in range(0, rows, size))

        passes = itertools.count() if self.params.epochs is None else range(self.params.epochs)
        everything = itertools.chain.from_iterable(map(one_pass, passes))
        yield from itertools.islice(everything, self.params.local_steps)

    def _gradient(self, optimizer: torch.optim.Optimizer, batch: NDArray[np.int64]) -> float:
        """Set gradients to those of the batch's mean loss, piece by piece; return the loss's sum."""
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for piece in self.device.pieces(len(batch)):
            numbers, codes, outcome = tensors(self.rows, batch[piece], self.device)
            with self.device.precision():
                given = self.module(numbers, codes)
            loss = loss_sum(self.task, given, outcome)
            torch.autograd.backward(loss / len(batch))
            total += float(loss.detach())
        return total

    def _anchor(self, vector: Vector) -> dict[str, torch.Tensor]:
        named = dict(self.module.named_parameters())
        return {name: torch.from_numpy(np.ascontiguousarray(values)).to(named[name])
                for name, values in self.shapes.split(vector).items()}

    def _bend(self, anchor: dict[str, torch.Tensor]) -> None:
        for name, weight in self.module.named_parameters():
            if name in anchor and weight.grad is not None:
                weight.grad.add_(weight.detach() - anchor[name], alpha=self.proximal)
        for bend in self.bends:
            bend(self.module)
        if self.params.clip_gradient is not None:
            torch.nn.utils.clip_grad_norm_(self._trained(), self.params.clip_gradient)


def tensors(rows: Rows, where: NDArray[np.int64] | slice, device: Device) -> tuple[torch.Tensor, ...]:
    """Return rows on a device: numbers, codes and outcome."""
    return tuple(torch.from_numpy(part[where]).to(device.name) for part in (rows.numbers, rows.codes, rows.outcome))


def _optimizer(params: NeuralParameters, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    shared: dict[str, Any] = {"lr": params.learning_rate, "weight_decay": params.weight_decay}
    match params.optimizer:
        case "sgd":
            return torch.optim.SGD(weights, momentum=params.momentum, **shared)
        case "adam":
            return torch.optim.Adam(weights, **shared)
        case _:
            return torch.optim.AdamW(weights, **shared)
