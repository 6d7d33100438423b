"""A full disk in mid-run, at a node and at the coordinator: a typed error, the process stays up, nothing is lost."""

from __future__ import annotations

import time

import pytest
from disturbed import NODES, Scene

from sealane.errors import UnavailableError
from sealane.node.control import call

pytestmark = pytest.mark.integration
COORDINATOR = "coordinator"


def test_a_node_with_a_full_disk_pauses_the_run(scene: Scene) -> None:
    federation, name = scene.federation, NODES[0]
    disk, pid = federation.disks[name], federation.pid(name)
    run = scene.start_run()
    run.await_exchange(4)
    disk.fill(pid)
    try:
        with pytest.raises(UnavailableError) as caught:
            run.end()
        assert caught.value.code in disk.codes
        assert f"node {name}" in caught.value.message
        assert caught.value.got
        assert run.statuses[-1].state == "PAUSED"
        status = call(federation.local.homes[name], "status")  # it still takes its operator's commands
        assert status["connected"]
        assert run.run_id in status["runs"]
    finally:
        disk.free(pid)
    federation.local.analyst.session.resume(run.run_id)
    scene.check(federation.follow(run.run_id))
    assert federation.pid(name) == pid
    assert federation.local.processes[name].poll() is None


def test_a_coordinator_with_a_full_disk_starts_no_run(scene: Scene) -> None:
    federation = scene.federation
    disk, pid = federation.disks[COORDINATOR], federation.pid(COORDINATOR)
    disk.fill(pid)
    try:
        with pytest.raises(UnavailableError) as caught:
            scene.start_run()
        assert caught.value.code in disk.codes
        assert caught.value.hint
        federation.local.analyst.session.parties()  # what needs no disk is answered
    finally:
        disk.free(pid)
    scene.check(scene.start_run())
    assert federation.local.processes[COORDINATOR].poll() is None


def test_a_coordinator_whose_disk_fills_up_in_mid_run_ends_it_once_there_is_space(scene: Scene) -> None:
    federation = scene.federation
    disk, pid = federation.disks[COORDINATOR], federation.pid(COORDINATOR)
    run = scene.start_run()
    run.await_exchange(4)
    disk.fill(pid)
    try:
        time.sleep(scene.seconds + 1.5)
        assert run.statuses[-1].state == "RUNNING"  # it could not write that the result is due
    finally:
        disk.free(pid)
    scene.check(run)
    assert federation.local.processes[COORDINATOR].poll() is None
