from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sealane.bench import measure as module
from sealane.bench.asked import Asked
from sealane.bench.measure import measure, timed


def clock(readings: list[float]) -> Iterator[float]:
    yield from readings


def test_the_median_is_taken_of_clock_and_processor_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    walls, processors = clock([0, 9, 10, 11, 20, 25]), clock([0, 1, 1, 5, 5, 7])
    monkeypatch.setattr(time, "perf_counter", lambda: next(walls))
    monkeypatch.setattr(time, "process_time", lambda: next(processors))
    calls: list[int] = []
    seconds, result = timed(lambda: calls.append(1) or len(calls), 3)
    assert (seconds.wall, seconds.cpu, result) == (5, 2, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be reset on Linux only")
def test_the_peak_is_of_what_was_used_since() -> None:
    # In a process of its own: here, memory that others let go may be taken up again.
    script = (
        "import numpy as np\nfrom sealane.bench.measure import peak_memory, start_peak\n"
        "large = np.ones(30_000_000 // 8)\ndel large\nbefore = start_peak()\nheld = np.ones(20_000_000 // 8)\n"
        "print(peak_memory() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 18_000_000 < int(done.stdout) < 29_000_000


class Doubling:
    """A system whose steps are seen."""

    parts = 2
    backend = "abacus"
    reason = "it is at hand"

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []

    def encrypt(self, node: int, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(("encrypt", node))
        return vector

    def serialise(self, encrypted: NDArray[np.float32]) -> list[bytes]:
        return [encrypted.tobytes(), b"more"]

    def add(self, payloads: Sequence[Sequence[bytes]]) -> NDArray[np.float64]:
        self.seen.append(("add", len(payloads)))
        return np.sum([np.frombuffer(first, np.float32).astype(np.float64) for first, _ in payloads], axis=0)

    def open(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total + 0.5


def test_a_measurement_is_of_one_node_and_of_the_whole_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Doubling] = []
    monkeypatch.setattr(module, "make", lambda name, asked: made.append(Doubling()) or made[-1])
    found = measure("doubling", Asked(length=1000, cohort=5, rounds=2))
    assert found.max_abs_error == pytest.approx(0.5)
    assert found.bytes_per_value == (4 * 1000 + 4) / 1000
    assert (found.backend, found.reason) == ("abacus", "it is at hand")
    warm, subject = made
    assert warm.seen
    assert [node for step, node in subject.seen if step == "encrypt"] == [0, 0, 1]
    assert {count for step, count in subject.seen if step == "add"} == {5}
    keys = {"backend", "backend_reason", "encrypt_s", "serialise_s", "add_s", "open_s", "bytes_per_value",
            "max_abs_error", "peak_memory_bytes", "cpu"}
    assert found.to_dict().keys() == keys
    assert found.to_dict()["cpu"].keys() == {"encrypt_s", "serialise_s", "add_s", "open_s"}
