"""Freed pieces are used again without the page faults that a fresh mapping costs; freed vectors go back at once."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from sealane.core.memory import hand_back_memory, keep_freed_memory
if {kept}:
    keep_freed_memory()
def work():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [bytearray(1_000_000) for _ in range(50)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
work()
faults, held = work(), resident()
hand_back_memory()
handed_back = held - resident()
vector = bytearray(50_000_000)
held = resident()
del vector
print(faults, handed_back, held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator takes these settings")
def test_pieces_of_the_next_round_cost_no_page_faults_and_vectors_leave_no_hole() -> None:
    def run(kept: bool) -> tuple[int, int, int]:
        done = subprocess.run([sys.executable, "-c", PROGRAM.format(kept=kept)], capture_output=True, check=True)
        faults, given_back, vector = map(int, done.stdout.split())
        return faults, given_back, vector

    (fresh, _, _), (again, given_back, vector) = run(kept=False), run(kept=True)
    assert fresh > 100 * (again + 1)
    assert given_back > 40_000_000
    assert vector > 40_000_000
