"""Connections that are slow, cut, stalled or silent: the run waits or comes back, and ends with the very same bytes."""

from __future__ import annotations

import signal
import time

import pytest
from disturbed import NODES, Scene

pytestmark = pytest.mark.integration


def test_every_connection_cut_at_once_and_again(scene: Scene) -> None:
    federation = scene.federation
    # Far away: an attempt to connect takes several round trips, and the run outlasts the way back of the analyst.
    federation.proxy.latency_s = 0.15
    run = scene.start_run()
    for exchange in (3, 7):
        run.await_exchange(exchange)
        assert federation.proxy.cut() >= len(NODES) + 1  # the analyst's among them
    scene.check(run)


def test_a_node_that_is_stalled_and_goes_on(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(4)
    assert federation.proxy.stall(federation.pid("west")) == 1
    time.sleep(0.5)  # what was under way arrives
    held = run.statuses[-1]
    time.sleep(2.2)  # longer than until the first repetition
    assert run.statuses[-1].exchanges == held.exchanges
    assert "west" in run.statuses[-1].waiting_for
    federation.proxy.resume()
    scene.check(run)


@pytest.mark.slow
def test_a_node_whose_connection_dies_without_a_word(scene: Scene) -> None:
    """Only keep-alive finds out, at both ends; the node then opens another connection."""
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(4)
    assert federation.proxy.stall(federation.pid("north")) == 1
    began = time.monotonic()
    scene.check(run)
    assert 1 < time.monotonic() - began < 45
    federation.proxy.resume()


def test_a_process_that_sleeps_and_wakes(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(4)
    federation.signal("south", signal.SIGSTOP)
    try:
        time.sleep(2.5)
        assert run.statuses[-1].state == "RUNNING"
    finally:
        federation.signal("south", signal.SIGCONT)
    scene.check(run)
