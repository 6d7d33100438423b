"""Freed memory is used again without the page faults that a fresh mapping costs."""

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
        bytearray(50_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
work()
faults, held = work(), resident()
hand_back_memory()
print(faults, held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator takes these settings")
def test_a_buffer_of_the_next_round_costs_no_page_faults() -> None:
    def run(kept: bool) -> tuple[int, int]:
        done = subprocess.run([sys.executable, "-c", PROGRAM.format(kept=kept)], capture_output=True, check=True)
        faults, given_back = done.stdout.split()
        return int(faults), int(given_back)

    (fresh, _), (again, given_back) = run(kept=False), run(kept=True)
    assert fresh > 100 * (again + 1)
    assert given_back > 40_000_000
