"""Takes the time of each step of a system, and its memory, on vectors that all systems get alike."""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealane.bench.asked import Asked
from sealane.bench.subject import Subject, make
from sealane.bench.vectors import exact_sum, vector

STEPS: Final = ("encrypt", "serialise", "add", "open")
WARM_UP: Final = 4096


@dataclass(frozen=True, slots=True)
class Seconds:
    """Medians over the repetitions of a step: by the clock, and of processor time over all threads."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a system took.

    Attributes:
        backend: what it computed on.
        reason: why on that.
        seconds: of each step; encryption is of one node, addition of the cohort.
        bytes_per_value: of one contribution.
        max_abs_error: of the opened sum.
        peak_memory_bytes: on top of the vectors, largest over all steps, payloads of the whole cohort included.
    """

    backend: str
    reason: str
    seconds: dict[str, Seconds]
    bytes_per_value: float
    max_abs_error: float
    peak_memory_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return {
            "backend": self.backend,
            "backend_reason": self.reason,
            **{f"{step}_s": self.seconds[step].wall for step in STEPS},
            "bytes_per_value": self.bytes_per_value,
            "max_abs_error": self.max_abs_error,
            "peak_memory_bytes": self.peak_memory_bytes,
            "cpu": {f"{step}_s": self.seconds[step].cpu for step in STEPS},
        }


def measure(name: str, asked: Asked) -> Measured:
    """Measure one system in this process; what it compiles or loads on first use is done before the clock starts.

    Raises:
        InputError: an extra that it needs is not installed.
    """
    short = replace(asked, length=min(WARM_UP, asked.length), rounds=1)
    _steps(make(name, short), short)
    return _steps(make(name, asked), asked)


def _steps(subject: Subject, asked: Asked) -> Measured:
    parts = [vector(node, asked.length) for node in range(min(subject.parts, asked.cohort))]
    expected = exact_sum(parts, asked.cohort)
    before = start_peak()
    encrypt, encrypted = timed(lambda: [subject.encrypt(0, parts[0])], asked.rounds)
    serialise, written = timed(lambda: subject.serialise(encrypted[0]), asked.rounds)
    encrypted.clear()
    made: list[Sequence[bytes]] = [
        written, *(subject.serialise(subject.encrypt(node, part)) for node, part in enumerate(parts) if node)]
    payloads = [made[node % len(made)] for node in range(asked.cohort)]
    add, total = timed(lambda: subject.add(payloads), asked.rounds)
    subject.open(total)  # shares are made on the way
    total = subject.add(payloads)
    open_, opened = timed(lambda: subject.open(total), asked.rounds)
    peak = peak_memory() - before
    seconds = {"encrypt": encrypt, "serialise": serialise, "add": add, "open": open_}
    return Measured(subject.backend, subject.reason, seconds, sum(map(len, written)) / asked.length,
                    float(np.abs(opened - expected).max()), max(peak, 0))


def timed(action: Callable[[], Any], repetitions: int) -> tuple[Seconds, Any]:
    """Run an action so often, and return the medians of its seconds with what it returned last."""
    walls, processors = [], []
    result = None
    gc.collect()
    for _ in range(repetitions):
        del result
        wall, processor = time.perf_counter(), time.process_time()
        result = action()
        processors.append(time.process_time() - processor)
        walls.append(time.perf_counter() - wall)
    return Seconds(statistics.median(walls), statistics.median(processors)), result


def start_peak() -> int:
    """Begin to watch memory: return what is resident now, in bytes, and forget the peak so far where that is possible.

    A child's ``ru_maxrss`` begins with its parent's, so on Linux the peak is asked of proc(5), where it can be reset.
    """
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    except OSError:
        return peak_memory()


def peak_memory() -> int:
    """Return the most memory that was resident since :func:`start_peak`, in bytes."""
    try:
        return _status("VmHWM")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(name)
