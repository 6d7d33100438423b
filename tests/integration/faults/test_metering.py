"""What nodes meter of real runs: what the coordinator saw of an undisturbed one, and once also after kill -9."""

from __future__ import annotations

from typing import Any

import pytest
from disturbed import NODES, Scene

from sealane.node.control import call

pytestmark = pytest.mark.integration


def metered(scene: Scene, run_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return each node's events of a run, once it has noticed the run's end."""
    def ask(name: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = call(scene.federation.local.homes[name], "metering.show",
                                            {"run": run_id})["events"]
        assert events
        return events

    return {name: scene.federation.eventually(lambda n=name: ask(n)) for name in NODES}  # type: ignore[misc]


def test_nodes_and_coordinator_count_the_same(scene: Scene) -> None:
    run = scene.start_run()
    finished = scene.check(run)
    found = metered(scene, run.run_id)
    for name in NODES:
        event, = found[name]
        assert event["rounds"] == finished.trace.rounds
        assert event["rows"] == 300
        assert event["outcome"] == "completed"
        assert 0 < event["cpu_us"] <= event["wall_us"]
        # Equal where nobody was nudged; on a slow machine a node may say a thing again after the coordinator's end.
        seen = finished.trace.bytes_sent[name]
        assert seen <= event["bytes_sent"] <= 1.5 * seen


def test_a_node_that_was_killed_meters_its_run_once(scene: Scene) -> None:
    run = scene.start_run()
    run.await_exchange(4)
    victim = NODES[0]
    scene.federation.kill(victim)
    scene.federation.start(victim)
    finished = scene.check(run)
    event, = metered(scene, run.run_id)[victim]
    assert (event["outcome"], event["rounds"]) == ("completed", finished.trace.rounds)
    assert 0 < event["bytes_sent"] <= finished.trace.bytes_sent[victim] * 2
