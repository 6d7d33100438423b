"""kill -9 of any process, at any time: the run goes on after a restart and ends with the very same bytes."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import pytest
from disturbed import NODES, Scene, descendants
from recording_coordinator import repeated

from sealane.client.status import RunStatus
from sealane.errors import UnavailableError

pytestmark = pytest.mark.integration
COORDINATOR = "coordinator"


def test_undisturbed_runs_agree_to_the_byte(scene: Scene) -> None:
    run = scene.start_run()
    finished = scene.check(run)
    assert finished.trace.rounds >= 12
    assert scene.federation.proxy.bytes_up > sum(finished.trace.bytes_sent.values())


def test_each_node_killed_in_turn_within_one_run(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    for number, name in enumerate(NODES):
        run.await_exchange(2 + 4 * number)
        federation.kill(name)
        before = run.statuses[-1].exchanges  # without it nothing goes on, and with it the run may soon be over
        federation.start(name)
        serving = time.monotonic()
        run.await_status(lambda status, before=before: status.exchanges > before)  # type: ignore[misc]
        went_on = max(run.moments[-1] - serving, 0.0)
        print(f"the run went on {went_on:.2f} s after {name} served again")
        assert went_on < 15
    scene.check(run)


def test_the_coordinator_killed_and_restarted(scene: Scene) -> None:
    federation = scene.federation
    known = repeated(federation.record)
    run = scene.start_run()
    run.await_exchange(5)
    federation.kill(COORDINATOR)
    federation.start(COORDINATOR)
    scene.check(run)
    assert repeated(federation.record) > known  # it forgot the round, and the nodes said it again


def test_the_coordinator_killed_between_a_runs_end_and_the_fetching_of_its_result(scene: Scene) -> None:
    federation = scene.federation
    killed = threading.Event()

    def kill_once_over(status: RunStatus) -> None:
        if status.state == "COMPLETED" and not killed.is_set():
            federation.kill(COORDINATOR)
            killed.set()

    run = federation.start_run(scene.study, kill_once_over)
    assert killed.wait(30)
    federation.start(COORDINATOR)
    scene.check(run)


def test_everything_killed_and_restarted(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(6)
    federation.kill(COORDINATOR, *NODES)
    federation.start(COORDINATOR, *NODES)
    scene.check(run)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_kill_at_a_random_moment(scene: Scene, seed: int) -> None:
    federation = scene.federation
    choice = random.Random(seed)
    victim = choice.choice([COORDINATOR, *NODES])
    run = scene.start_run()
    time.sleep(choice.uniform(0, scene.seconds))
    federation.kill(victim)
    federation.start(victim)
    scene.check(run)


def test_a_computations_process_killed_in_mid_run(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(4)
    computing = descendants(federation.pid("south"))[-1]
    os.kill(computing, signal.SIGKILL)
    with pytest.raises(UnavailableError) as caught:
        run.end()
    assert caught.value.code == "sandbox.killed"
    assert run.statuses[-1].state == "PAUSED"
    assert federation.local.processes["south"].poll() is None
    federation.local.analyst.session.resume(run.run_id)
    scene.check(federation.follow(run.run_id))
