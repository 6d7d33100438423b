"""The sum of clipped gradients of single rows, by Opacus: row by row where they fit the memory, else by ghost clipping.

Every row's gradient is scaled to a norm of at most C by itself, so that one row moves the sum by at most C. One whose
gradient is no number counts as zero. Where a module is large, norms come first, without the gradients (ghost clipping),
and a second pass backward weights each row's loss; it needs no more memory than an ordinary step.

Opacus makes no noise here and chooses no rows: its generators are not made for secrets. Rows are drawn by the system's
randomness, layers such as dropout by a seed of it: a seed that follows from the rows would change with each of them.

Source: Abadi et al., "Deep Learning with Differential Privacy" (2016), algorithm 1; Li et al., "Large Language Models
Can Be Strong Differentially Private Learners" (2022), section 4, for ghost clipping.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sealane.computations.neural.learning.device import Device
from sealane.computations.neural.learning.losses import loss_rows
from sealane.computations.neural.learning.row_trial import check_trial
from sealane.computations.neural.learning.training import tensors
from sealane.computations.neural.learning.weights import put
from sealane.computations.neural.library import opacus
from sealane.computations.neural.parameters import Task
from sealane.computations.neural.rows import Rows
from sealane.computations.neural.vector import Shapes, Vector
from sealane.core.entropy import random_bytes

_OPACUS = opacus()
GHOST_FROM = 1 << 17
"""Weights from which on gradients of single rows are not held."""
_HELD = 1 << 23
"""Floats of single rows' gradients that are held at once."""
_GHOSTS = 256
"""Rows at once under ghost clipping: their sum is made in single precision, and must not lose a row's length in it."""


def drawn(rows: int, rate: Decimal) -> NDArray[np.int64]:
    """Return places of rows, each drawn with a probability of ``rate`` or slightly less, by the system's randomness."""
    if rate >= 1:
        return np.arange(rows)
    words = np.frombuffer(random_bytes(8 * rows), dtype="<u8")
    return np.flatnonzero(words < np.uint64(int(rate * (1 << 64))))


@dataclass(slots=True)
class RowGradients:
    """Gradients of one module on one node's rows.

    Attributes:
        module: on its device.
        shapes: of what is trained.
        task: of the model.
        rows: own ones.
        clip: largest norm of one row's gradient.
        device: of this node.
        ghost: whether norms are worked out without the gradients.
        trial: whether this is the trial that every module passes first.
    """

    module: nn.Module
    shapes: Shapes
    task: Task
    rows: Rows
    clip: float
    device: Device
    ghost: bool
    trial: bool = False
    _wrapped: Any = field(init=False)

    def __post_init__(self) -> None:
        if not self.trial:
            check_trial(self.module, self.shapes, self.task, self.rows, self.clip, self._try)
        self._wrapped = _wrapped(self.module, self.clip, ghost=self.ghost)
        most = _GHOSTS if self.ghost else max(1, _HELD // self.shapes.length)
        self.device.most = min(self.device.most, most)

    def total(self, weights: Vector, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the sum of the chosen rows' clipped gradients, ``(entries,)``."""
        put(self.module, self.shapes, weights)
        self.module.train()
        out, at = np.zeros(self.shapes.length), 0
        gpus = range(torch.cuda.device_count())
        with self.device.threads(), warnings.catch_warnings(), torch.random.fork_rng(devices=gpus):
            warnings.filterwarnings("ignore", message="Full backward hook")  # inputs need no gradients
            torch.manual_seed(int.from_bytes(random_bytes(8), "little") >> 1)
            while at < len(chosen):
                piece, part = self.device.fit(len(chosen) - at, partial(self._piece, chosen[at:]))
                out += part
                at += len(piece)
        return out

    def _piece(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return as many of the rows as the device takes at once, and the sum of their gradients."""
        piece = chosen[: self.device.most]
        try:
            return piece, self._by_ghosts(piece) if self.ghost else self._by_rows(piece)
        except torch.OutOfMemoryError:
            self._forget()
            raise

    def _forget(self) -> None:
        """Take away what Opacus kept of a pass that did not end, or it would be taken for a part of the next."""
        for part in self.module.modules():
            vars(part).pop("activations", None)
        weights: list[Any] = list(self.module.parameters())  # which Opacus gave attributes
        for weight in weights:
            weight._forward_counter = 0
            weight.grad_sample = None

    def _try(self, module: nn.Module, rows: Rows, weights: Vector) -> NDArray[np.float64]:
        tried = RowGradients(module, self.shapes, self.task, rows, self.clip, Device("cpu", False, self.shapes.length),
                             self.ghost, trial=True)
        return tried.total(weights, np.arange(len(rows)))

    def _losses(self, piece: NDArray[np.int64]) -> torch.Tensor:
        numbers, codes, outcome = tensors(self.rows, piece, self.device)
        self._wrapped.zero_grad(set_to_none=True)
        return loss_rows(self.task, self._wrapped(numbers, codes), outcome)

    def _by_rows(self, piece: NDArray[np.int64]) -> NDArray[np.float64]:
        torch.autograd.backward(self._losses(piece).sum())
        named: dict[str, Any] = dict(self.module.named_parameters())
        found = [named[name].grad_sample for name, _ in self.shapes.of]
        squares = sum(one.flatten(1).double().square().sum(dim=1) for one in found)
        norms = torch.sqrt(torch.as_tensor(squares))
        known = torch.isfinite(norms)
        factors = torch.where(known, torch.clamp(self.clip / norms, max=1.0), 0.0)
        parts = [(factors[known] @ one[known].flatten(1).double()).cpu().numpy() for one in found]
        for name, _ in self.shapes.of:
            named[name].grad_sample = None
        return np.concatenate(parts)

    def _by_ghosts(self, piece: NDArray[np.int64]) -> NDArray[np.float64]:
        if not len(piece):
            return np.zeros(self.shapes.length)
        losses = self._losses(piece)
        torch.autograd.backward(losses.sum(), retain_graph=True)
        factors = self._wrapped.get_clipping_coef().detach()
        known = torch.isfinite(factors).cpu().numpy()
        if not known.all():
            return self._by_ghosts(piece[known])
        self._wrapped.zero_grad(set_to_none=True)
        self._wrapped.disable_hooks()
        try:
            torch.autograd.backward((factors * losses).sum())
        finally:
            self._wrapped.enable_hooks()
        named: dict[str, Any] = dict(self.module.named_parameters())
        return np.concatenate([named[name].grad.flatten().double().cpu().numpy() for name, _ in self.shapes.of])


def _wrapped(module: nn.Module, clip: float, *, ghost: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if ghost:
            return _OPACUS.GradSampleModuleFastGradientClipping(module, loss_reduction="sum", max_grad_norm=clip,
                                                                use_ghost_clipping=True)
        return _OPACUS.GradSampleModule(module, loss_reduction="sum")
