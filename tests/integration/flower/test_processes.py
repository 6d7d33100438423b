"""Flower apps over nodes that are processes: what comes of one that raises, dies, or is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("flwr")

from tests.support.command_line import ENVIRONMENT, MODULE
from tests.support.flower_apps import EXAMPLE, write_app

pytestmark = pytest.mark.integration
DIES_ONCE = """mark = {mark!r}
    if place == 1 and number == 1 and not os.path.exists(mark):
        open(mark, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)"""


def sealane(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MODULE, "flower", "run", *arguments], capture_output=True, text=True, env=ENVIRONMENT,
                          timeout=60)


def test_the_example_runs_over_three_processes() -> None:
    done = sealane(str(EXAMPLE), "--run-config", "num-rounds=5", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exchanges"], document["nodes"], document["where"]) == (0, 5, 3, "processes")
    assert "scheme none" in done.stderr
    assert "3 of 3 nodes" in done.stderr
    assert "weights:" in done.stderr


def test_a_node_that_dies_in_mid_round_is_named(tmp_path: Path) -> None:
    app = write_app(tmp_path, "dying", DIES_ONCE.format(mark=str(tmp_path / "mark")))
    done = sealane(str(app), "--nodes", "2", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (75, "flower.node-lost")
    assert error["got"] == "node-2: its process ended with status -9"


def test_where_that_is_tolerated_it_is_started_again_and_the_run_goes_on(tmp_path: Path) -> None:
    app = write_app(tmp_path, "again", DIES_ONCE.format(mark=str(tmp_path / "mark")))
    done = sealane(str(app), "--nodes", "2", "--tolerate", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["exchanges"], document["failures"], document["restarted"]) == (
        0, 3, 1, ["node-2"])
    assert "2 102 {'place': 1, 'of': 2}" in done.stderr


def test_a_node_that_dies_again_and_again_ends_the_run(tmp_path: Path) -> None:
    app = write_app(tmp_path, "always", "if place == 0: os._exit(3)")
    done = sealane(str(app), "--nodes", "1", "--tolerate", "--run-config", "rounds=9", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["got"]) == (75, "flower.node-gone", "node-1")


def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    app = write_app(tmp_path, "slow", f"open({str(pids)!r}, 'a').write(str(os.getpid()) + '\\n')\n    time.sleep(0.5)")
    # Where these tests run in the background, Ctrl-C is ignored, which the process would inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*MODULE, "flower", "run", str(app), "--nodes", "2", "--run-config", "rounds=50"],
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 40
    while not pids.exists() or len(set(pids.read_text().split())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    for pid in set(pids.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
