"""One federation of real processes for all tests of this folder, and what its result is when nothing disturbs it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from disturbed import NODES, SPARE, Scene, disturbed_federation, payload_bytes
from recording_coordinator import different_answers

LATENCY_S = 0.03


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Everything, started once."""
    with disturbed_federation(tmp_path_factory.mktemp("faults"), [*NODES, SPARE], absent_seconds=600.0) as federation:
        federation.proxy.latency_s = LATENCY_S
        study = federation.approved("disturbed", NODES)
        finished = federation.start_run(study).end()
        yield Scene(federation, study, payload_bytes(finished), finished.trace.seconds)


@pytest.fixture
def scene(whole: Scene) -> Iterator[Scene]:
    """The federation with all processes up; afterwards no node may have answered anything twice differently."""
    federation = whole.federation
    federation.proxy.latency_s = LATENCY_S
    federation.proxy.resume()
    down = [name for name, process in federation.local.processes.items() if process.poll() is not None]
    if down:
        federation.start(*sorted(down, key=lambda name: name != "coordinator"))
    federation.await_connected(*NODES, SPARE)
    for status in federation.local.analyst.session.runs():
        if not status.over:
            federation.local.analyst.session.cancel(status.run_id)  # an earlier test failed: this one starts afresh
    yield whole
    assert different_answers(federation.record) == []
