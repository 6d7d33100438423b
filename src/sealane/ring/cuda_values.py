"""Values that lie on the device already: integers, or floats that are rounded there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.ring.cuda_kernel import launch, torch
from sealane.ring.cuda_quantize import DRAWS, quantize
from sealane.ring.cuda_tables import seed_words

_INTEGERS = ("torch.int32", "torch.uint32")
_TILE = 8192


@dataclass(frozen=True, slots=True, eq=False)
class TensorValues:
    """Integers in a tensor on the device, int32 or uint32 ``(n,)``; they are read where they lie.

    Raises:
        InputError: the tensor has another type or shape.
    """

    tensor: torch.Tensor

    def __post_init__(self) -> None:
        if str(self.tensor.dtype) not in _INTEGERS or self.tensor.dim() != 1 or not self.tensor.is_contiguous():
            raise InputError("ring.bad-tensor", "values are not a flat tensor of 32-bit integers",
                             got=f"{self.tensor.dtype} of {self.tensor.dim()} axes", expected="int32 or uint32, (n,)")

    def __len__(self) -> int:
        return int(self.tensor.numel())

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return a copy in the host's memory."""
        array: NDArray[np.uint32] = self.tensor[start:stop].view(torch.int32).cpu().numpy().view(np.uint32)
        return array

    def on_device(
        self, start: int, stop: int, buffer: Callable[[int], torch.Tensor], flags: torch.Tensor
    ) -> torch.Tensor:
        """Return values ``start`` to ``stop``, int32 in storage; neither buffer nor flags are needed."""
        return self.tensor[start:stop].view(torch.int32)


@dataclass(frozen=True, slots=True, eq=False)
class RoundedValues:
    """An update in a tensor on the device, rounded as :mod:`sealane.secagg.quantize` states it when it is read.

    Args:
        tensor: the update, float32 ``(n,)``.
        scales: what entries are multiplied with, float32 ``(1,)``, or one for each block of ``block`` entries.
        middle: 2^f half.
        fraction: f.
        seed: 32 bytes for the roundings of this vector and nothing else.
        block: entries that share a scale; 0 where all share one.

    Raises:
        InputError: the tensor has another type or shape, or there is not one scale for each block.
    """

    tensor: torch.Tensor
    scales: NDArray[np.float32]
    middle: int
    fraction: int
    seed: Secret
    block: int = 0

    def __post_init__(self) -> None:
        tensor, blocks = self.tensor, -(-len(self) // self.block) if self.block else 1
        if str(tensor.dtype) != "torch.float32" or tensor.dim() != 1 or not tensor.is_contiguous():
            raise InputError("ring.bad-tensor", "values are not a flat tensor of floats",
                             got=f"{tensor.dtype} of {tensor.dim()} axes", expected="float32, (n,)")
        if self.scales.dtype != np.float32 or self.scales.size != blocks:
            raise InputError("ring.bad-scales", "there is not one scale for each block of values",
                             got=f"{self.scales.dtype} of shape {self.scales.shape}", expected=f"float32, ({blocks},)")

    def __len__(self) -> int:
        return int(self.tensor.numel())

    def read(self, start: int, stop: int) -> NDArray[np.uint32]:
        """Return the rounded values in the host's memory."""
        first = start // DRAWS * DRAWS
        flags = torch.zeros(4, dtype=torch.int32, device=self.tensor.device)
        rounded = self.on_device(first, stop, self._empty, flags)
        if int(flags[3]):
            raise not_finite()
        array: NDArray[np.uint32] = rounded.cpu().numpy().view(np.uint32)[start - first :]
        return array

    def on_device(
        self, start: int, stop: int, buffer: Callable[[int], torch.Tensor], flags: torch.Tensor
    ) -> torch.Tensor:
        """Return values ``start`` to ``stop`` in a buffer, int32 in storage, ``start`` being a multiple of 32."""
        device, count = self.tensor.device, stop - start
        scales = torch.from_numpy(self.scales.reshape(-1).copy()).to(device)
        seed, out = seed_words(self.seed.reveal(), str(device)), buffer(count)
        launch(quantize, (-(-count // _TILE),), self.tensor[start:stop], scales, out, seed, flags, start, count,
               self.block, self.middle, self.fraction, BLOCKS=self.block > 0, TILE=_TILE, warps=8)
        seed.zero_()
        return out

    def _empty(self, count: int) -> torch.Tensor:
        return torch.empty(count, dtype=torch.int32, device=self.tensor.device)


def not_finite() -> InputError:
    """Return the error that values which are not finite lead to."""
    return InputError("quantize.not-finite", "an update holds a value that is not finite", expected="finite numbers",
                      hint="the training diverged: lower its step size")
