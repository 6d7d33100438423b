"""How the kernels of the CPU backend are compiled.

A kernel names the types it takes, so that it is compiled once, by :func:`compile_all`, and never again in the middle of
a round. What was compiled is kept on disk: beside the package where that can be written to, else in numba's folder in
the user's cache, and where there is neither it is compiled anew in each process (``NUMBA_CACHE_DIR`` names a place).
Kernels hold no lock of the interpreter, so a caller with threads may run several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., object])
READ_32 = "Array(uint32, 1, 'C', readonly=True)"
READ_2 = "Array(uint32, 2, 'C', readonly=True)"
READ_64 = "Array(uint64, 1, 'C', readonly=True)"
_declared: list[tuple[Any, str]] = []

inlined = cast(Callable[[F], F], njit(inline="always"))
"""Mark a function that kernels use: it becomes a part of each of them."""


def kernel(signature: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a kernel for exactly the given numba signature."""

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        try:
            compiled = njit(function, cache=True, nogil=True)
        except RuntimeError:  # numba found no folder that it may write to
            compiled = njit(function, nogil=True)
        _declared.append((compiled, signature))
        return cast(Callable[P, R], compiled)

    return declare


def compile_all() -> None:
    """Compile, or load from disk, every kernel declared so far; later calls return at once, others wait meanwhile.

    numba looks for changes in the file of a kernel only: after an edit of what kernels of other files are made of,
    ``cpu_vectors`` above all, what it kept beside them (``*.nbi``) must be deleted.
    """
    with global_compiler_lock:
        while _declared:
            compiled, signature = _declared[-1]
            compiled.compile(signature)
            compiled.disable_compile()
            _declared.pop()
