"""A node whose link is up for a while at a time takes part in a run like any other, only later."""

from __future__ import annotations

import signal
import time

import pytest
from disturbed import Disturbed, Scene

pytestmark = pytest.mark.integration
AWAY = "south"
OFF_S = 1.0


def switch_off(federation: Disturbed) -> None:
    """End the node in order, as a timer at a farm does."""
    process = federation.local.processes[AWAY]
    federation.signal(AWAY, signal.SIGTERM)
    process.wait(20)
    if process.stdout is not None:
        process.stdout.close()


def test_a_node_that_is_on_now_and_then_takes_part_and_the_result_is_the_same(scene: Scene) -> None:
    """It is off as the run begins and twice within it; nobody resumes anything, the run waits for it."""
    federation = scene.federation
    switch_off(federation)
    run = scene.start_run()
    run.await_status(lambda status: AWAY in status.waiting_for)
    for number in range(1, 3):
        federation.start(AWAY)
        run.await_exchange(4 * number)
        switch_off(federation)
        status = run.await_status(lambda status: AWAY in status.waiting_for)
        time.sleep(OFF_S)
        # At most the exchange to which it had contributed already ends without it.
        assert run.statuses[-1].exchanges <= status.exchanges + 1
        assert run.statuses[-1].state == "RUNNING"
    federation.start(AWAY)
    scene.check(run)
    assert run.statuses[-1].state == "COMPLETED"
