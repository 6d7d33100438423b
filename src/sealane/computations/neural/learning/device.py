"""Where a node trains: the processor, or a GPU where there is one; and steps that fit its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from sealane.errors import RefusedError

T = TypeVar("T")
_SMALLEST = 1
_ONE_THREAD = 1 << 18
"""Weights up to which one thread is faster than several that wait for each other."""


@dataclass(slots=True)
class Device:
    """A device, and the most rows that go through it at once.

    Attributes:
        name: as PyTorch names it.
        mixed: whether layers run in half precision where that is safe.
        weights: of the module.
        most: rows at once; halved whenever the device runs out of memory, the step's gradient being accumulated.
        accumulated: whether that happened.
    """

    name: str
    mixed: bool
    weights: int
    most: int = 1 << 14
    accumulated: bool = False

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which a module runs forward."""
        return torch.autocast(self.name, dtype=torch.bfloat16) if self.mixed else nullcontext()

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Let PyTorch use as many threads as the module is worth, and then as many as before."""
        before = torch.get_num_threads()
        if self.weights <= _ONE_THREAD:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def pieces(self, size: int) -> Iterator[slice]:
        """Yield parts of a batch that go through at once."""
        for start in range(0, size, self.most):
            yield slice(start, min(start + self.most, size))

    def fit(self, size: int, work: Callable[[], T]) -> T:
        """Do something with a batch, again in smaller pieces where the device's memory is too small.

        Raises:
            RefusedError: not even one row fits.
        """
        while True:
            with suppress(torch.OutOfMemoryError):
                return work()
            # Out here, where the error holds nothing of the pass any more.
            if min(self.most, size) <= _SMALLEST:
                raise RefusedError("neural.out-of-memory", "the device has no memory for a single row",
                                   got=self.name, hint="choose a smaller module")
            self.most = max(_SMALLEST, min(self.most, size) // 2)
            self.accumulated = True
            torch.cuda.empty_cache()


def choose(precision: str, weights: int) -> Device:
    """Return the device of this node: a GPU where PyTorch finds one."""
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return Device(found, precision == "mixed" and found == "cuda", weights)
