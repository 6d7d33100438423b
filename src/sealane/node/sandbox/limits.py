"""How much a computation in the sandbox may use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MEMORY_SHARE = 2
"""By default one run may take this part of the machine's memory: one half."""
THREADS = 256
OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run.

    Attributes:
        memory_bytes: address space beyond what the interpreter and its libraries hold at the start; the rows count.
        cpu_seconds: processor time of one attempt, all threads together.
        step_seconds: wall time between two messages of the computation, the cohort's own time left out.
        message_bytes: the largest vector that it may hand over to be summed.
        result_bytes: the largest result.
    """

    memory_bytes: int
    cpu_seconds: int = 6 * 3600
    step_seconds: float = 1800.0
    message_bytes: int = 1 << 30
    result_bytes: int = 64 << 20

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds as JSON-ready values."""
        return asdict(self)


def limits_from(fields: Mapping[str, Any]) -> Limits:
    """Rebuild what :meth:`Limits.to_dict` returned."""
    return Limits(**fields)


def machine_memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def default_limits() -> Limits:
    """Return the bounds that hold where the operator set none."""
    return Limits(memory_bytes=max(machine_memory() // MEMORY_SHARE, 512 << 20))
