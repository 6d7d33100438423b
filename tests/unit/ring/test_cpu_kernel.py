"""Kernels are compiled for the types they name, once, and also where nothing can be kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sealane.ring.cpu import warm_up
from sealane.ring.cpu_bits import add_residues
from sealane.ring.cpu_kernel import compile_all, kernel


def test_a_kernel_that_no_folder_can_keep_is_compiled_all_the_same() -> None:
    namespace: dict[str, object] = {}
    exec(compile("def twice(x):\n    return 2 * x", "<nowhere>", "exec"), namespace)  # no file to keep it beside
    twice = kernel("int64(int64)")(namespace["twice"])  # type: ignore[arg-type]
    compile_all()
    assert twice(21) == 42  # type: ignore[operator]


def test_threads_that_ask_together_find_all_compiled() -> None:
    scale: dict[str, object] = {}
    for name in "abcdef":
        exec(f"def {name}(x):\n    return 3 * x", scale)
    declared = [kernel("int64(int64)")(scale[name]) for name in "abcdef"]  # type: ignore[arg-type]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(compile_all) for _ in range(4)]:
            done.result()
            assert all(one.signatures for one in declared)  # type: ignore[attr-defined]
    assert [one(5) for one in declared] == [15] * 6  # type: ignore[operator]


def test_other_types_are_refused_and_never_compiled_for() -> None:
    warm_up()
    warm_up()
    row = np.zeros(32, dtype=np.uint32)
    with pytest.raises(TypeError):
        add_residues(row.astype(np.int64), row, np.uint32(7))  # type: ignore[arg-type]
    assert len(add_residues.signatures) == 1  # type: ignore[attr-defined]


def test_kernels_are_kept_in_the_folder_that_is_named(tmp_path: Path) -> None:
    source = tmp_path / "one_kernel.py"
    source.write_text(
        "from sealane.ring.cpu_kernel import compile_all, kernel\n"
        "@kernel('int64(int64)')\n"
        "def twice(x):\n"
        "    return 2 * x\n"
        "compile_all()\n"
        "print(sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()), twice(21))\n"
    )
    kept = tmp_path / "kept"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "src"), "NUMBA_CACHE_DIR": str(kept)}
    found = [
        subprocess.run([sys.executable, source], env=environment, capture_output=True, text=True, timeout=120,
                       check=True).stdout.split()
        for _ in range(2)
    ]
    assert found == [["0", "1", "42"], ["1", "0", "42"]]
    assert list(kept.rglob("*.nbi"))
