"""The one door to PyTorch and Triton: :mod:`sealane.ring.select` looks whether they are there before it imports this.

Kernels lie in modules of their own, ``cuda_*``, that only :mod:`sealane.ring.cuda` loads. They hold 32-bit words as
int32, which every release of PyTorch can copy and index, and read them as unsigned inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    import triton
    import triton.language as tl
else:

    def _load() -> tuple[Any, Any, Any]:
        import torch
        import triton
        import triton.language as tl

        return torch, triton, tl

    torch, triton, tl = _load()

__all__ = ["INTERPRETED", "inlined", "kernel", "launch", "tl", "torch", "triton"]

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether kernels run on the CPU, in Triton's interpreter; it decides so where a kernel is made."""

# Numbers that differ from call to call: without this Triton compiles anew where one is 1 or a multiple of 16.
_NUMBERS = frozenset({
    "block", "count", "first", "first_group", "fraction", "last_group", "last_used", "lines", "middle", "slots", "tail",
    "words",
})


def kernel(function: Callable[..., Any]) -> Any:
    """Make a kernel of ``function``: what :func:`launch` runs."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return triton.jit(function, do_not_specialize=[name for name in names if name in _NUMBERS])


def inlined(function: Callable[..., Any]) -> Any:
    """Mark a function that kernels use: it becomes a part of each of them."""
    made = triton.jit(function)
    # The interpreter prepares its whole language anew in each call of such a function; a kernel has done so already.
    rewrite = getattr(made, "rewrite", None)
    return made if rewrite is None else rewrite()


def launch(function: Any, grid: tuple[int, ...], *arguments: Any, warps: int = 4, **constants: Any) -> None:
    """Run a kernel over a grid of programs, on PyTorch's current stream."""
    function[grid](*arguments, num_warps=warps, **constants)
