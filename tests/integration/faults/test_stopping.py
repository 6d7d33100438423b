"""Ctrl-C and SIGTERM: processes end by themselves, and leave no child, socket, lock or temporary directory behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disturbed import SPARE, Scene, children_left

pytestmark = pytest.mark.integration
CODES = {signal.SIGTERM: 0, signal.SIGINT: 130}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", [SPARE, "coordinator"])
def test_serving_ends_cleanly(scene: Scene, name: str, number: signal.Signals) -> None:
    federation = scene.federation
    process = federation.local.processes[name]
    home = federation.local.root / name
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == CODES[number]
    assert time.monotonic() - began < 5
    assert process.stdout is not None
    process.stdout.close()
    left = {path.name for path in home.iterdir() if path.is_socket() or path.name.endswith(("-wal", "-shm"))}
    assert left == set()
    assert children_left(str(home)) == []


@pytest.mark.parametrize(("name", "number", "step"), [
    ("finance", signal.SIGTERM, "preparing real data"), ("finance", signal.SIGINT, "making a scorecard"),
    ("healthcare", signal.SIGINT, "judging the model"),
    ("governance", signal.SIGINT, "starting the nodes"), ("governance", signal.SIGTERM, "stopping every process"),
])
def test_a_demo_that_is_stopped_leaves_nothing(tmp_path: Path, name: str, number: signal.Signals, step: str) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    out = tmp_path / "out"
    # Where these tests run in the background, Ctrl-C is ignored, which the demo would inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    demo = subprocess.Popen(
        [sys.executable, "-m", "sealane.cli", "demo", name, "--out", str(out)],
        env=os.environ | {"TMPDIR": str(temporary)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True)
    signal.signal(signal.SIGINT, before)
    assert demo.stderr is not None
    try:
        for line in demo.stderr:
            if step in line:
                break
        else:
            pytest.fail(f"the demo never came to {step!r}")
        os.killpg(demo.pid, number)  # as a terminal does
        said = demo.stderr.read()
        code = demo.wait(15)
    finally:
        demo.kill()
        demo.wait()
        demo.stderr.close()
    assert code in (130, 143)
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
    assert not out.exists()
    assert children_left(str(temporary)) == []
