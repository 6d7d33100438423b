"""Nodes that stay away past the deadline: the run pauses, or goes on without them where nothing was opened yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from disturbed import NODES, SPARE, Scene

from sealane.errors import UnavailableError

pytestmark = pytest.mark.integration
ABSENT_S = 1.0


@pytest.fixture(scope="module")
def hurried(whole: Scene) -> Iterator[None]:
    """Let the coordinator wait only a second for a node that is away."""
    path = whole.federation.local.root / "coordinator" / "settings.toml"
    patient = path.read_text()
    assert "absent_seconds = 600.0" in patient
    path.write_text(patient.replace("absent_seconds = 600.0", f"absent_seconds = {ABSENT_S}"))
    whole.federation.kill("coordinator")
    whole.federation.start("coordinator")
    yield
    path.write_text(patient)
    whole.federation.kill("coordinator")


@pytest.fixture
def impatient(hurried: None, scene: Scene) -> Scene:
    return scene


def test_a_lost_node_pauses_the_run_which_goes_on_when_it_is_back(impatient: Scene) -> None:
    federation = impatient.federation
    run = impatient.start_run()
    run.await_exchange(5)
    federation.kill("south")
    with pytest.raises(UnavailableError) as caught:
        run.end()
    assert (caught.value.code, caught.value.got) == ("run.node-lost", "south")
    assert run.run_id in str(caught.value.hint)
    assert run.statuses[-1].state == "PAUSED"
    assert set(run.statuses[-1].cohort) == set(NODES)  # nothing opens without it

    federation.start("south")
    status = federation.local.analyst.session.resume(run.run_id)
    assert status.state in ("RUNNING", "RELEASING", "COMPLETED")
    impatient.check(federation.follow(run.run_id))


def test_a_node_absent_from_the_start_is_left_out(impatient: Scene) -> None:
    """Four institutions agreed and three are enough: no sum was opened yet, so the run goes on without the fourth."""
    federation = impatient.federation
    study = federation.approved("without-one", [*NODES, SPARE], computation="statistics.describe",
                                parameters={"columns": ["int_rate", "annual_inc"]})
    federation.kill(SPARE)
    run = federation.start_run(study)
    finished = run.end()
    assert set(finished.opened.endorsed_by) == set(NODES)
    assert set(finished.trace.cohort) == set(NODES)
    assert ("run.completed", "attempt 0") in federation.events(run.run_id)
