"""Which backend the arithmetic of ``rlwe`` runs on: by name, or the fastest there is.

A backend that was asked for by name is given or refused, never replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from sealane.errors import InputError, SealaneError
from sealane.ring.base import Backend

NAMES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and in words why it is this one."""

    backend: Backend
    reason: str


def choose(name: str) -> Choice:
    """Return the backend of a name; ``auto`` is ``cuda`` where there is a GPU that can be used, else ``cpu``.

    Raises:
        InputError: there is no such backend, or it needs an extra that is not installed.
        UnavailableError: it needs a GPU, and there is none.
    """
    if name == "cpu":
        return Choice(_cpu(), "cpu was asked for")
    if name == "cuda":
        backend = _cuda()
        return Choice(backend, f"cuda was asked for: {backend.device}")
    if name != "auto":
        raise InputError("ring.unknown-backend", "there is no such backend", got=name, expected=" or ".join(NAMES))
    try:
        backend = _cuda()
    except SealaneError as error:
        return Choice(_cpu(), f"cpu, since {error.message}")
    if _interpreted():
        return Choice(_cpu(), "cpu, since TRITON_INTERPRET=1 runs the GPU's kernels in an interpreter")
    return Choice(backend, f"cuda, since there is a GPU: {backend.device}")


def _cpu() -> Backend:
    from sealane.ring.cpu import CpuBackend  # numba takes a while to load

    return CpuBackend()


def _cuda() -> Backend:
    # Looked for, not tried: where an import fails in two threads at once, one of them gets half a module.
    for name in ("torch", "triton"):
        if find_spec(name) is None:
            raise InputError("ring.extra-missing", "the cuda backend needs PyTorch and Triton", got=f"no {name}",
                             hint="pip install 'sealane[cuda]', or choose the backend cpu")
    from sealane.ring.cuda import CudaBackend

    return CudaBackend()


def _interpreted() -> bool:
    from sealane.ring.cuda_kernel import INTERPRETED

    return INTERPRETED
