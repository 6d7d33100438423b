"""A run's status comes from the coordinator: every field of it is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from sealane.api.run.v1 import run_pb2 as pb
from sealane.client.status import read_status
from sealane.client.trace import Trace
from sealane.errors import ProtocolError, UnavailableError
from sealane.rpc.error_detail import describe_error

RUN = "r-aaaaaaaaaaaaaaaa"


def wire(**changes: Any) -> pb.RunStatus:
    fields: dict[str, Any] = {
        "run_id": RUN, "study_hash": "ab" * 32, "state": pb.RUN_STATE_RUNNING, "attempt": 1, "exchanges": 7,
        "cohort": ["north", "south"], "waiting_for": ["south"], "bytes_sent": {"north": 10, "south": 20},
        "elapsed_s": 1.5, "started_at": "2026-03-01T12:00:00Z"}
    return pb.RunStatus(**fields | changes)


def test_every_field_arrives() -> None:
    error = UnavailableError("run.node-lost", "lost", got="south", expected="all", hint="bring it back")
    status = read_status(wire(error=describe_error(error)))
    assert (status.run_id, status.study_hash, status.state) == (RUN, "ab" * 32, "RUNNING")
    assert (status.attempt, status.exchanges, status.cohort) == (1, 7, ("north", "south"))
    assert (status.waiting_for, dict(status.bytes_sent)) == (("south",), {"north": 10, "south": 20})
    assert (status.elapsed_s, status.started_at) == (1.5, "2026-03-01T12:00:00Z")
    assert status.error is not None
    assert status.error.to_dict() == error.to_dict()
    assert read_status(wire()).error is None


@pytest.mark.parametrize(("state", "over"), [("PROPOSED", False), ("ADMITTED", False), ("RUNNING", False),
                                             ("PAUSED", False), ("RELEASING", False), ("COMPLETED", True),
                                             ("ABORTED", True)])
def test_states(state: str, over: bool) -> None:
    status = read_status(wire(state=f"RUN_STATE_{state}"))
    assert (status.state, status.over) == (state, over)


@pytest.mark.parametrize(("changes", "code"), [
    ({"state": 0}, "wire.unknown-state"), ({"state": 99}, "wire.unknown-state"),
    ({"run_id": "../../etc"}, "wire.bad-run-id"), ({"run_id": ""}, "wire.bad-run-id"),
    ({"study_hash": "a" * 65}, "wire.bad-text"), ({"started_at": "\x1b[2J"}, "wire.bad-text"),
    ({"cohort": ["North"]}, "wire.bad-name"), ({"waiting_for": ["a b"]}, "wire.bad-name"),
    ({"bytes_sent": {"\x1b": 1}}, "wire.bad-name"), ({"cohort": ["n"] * 1025}, "wire.too-many"),
    ({"waiting_for": ["n"] * 1025}, "wire.too-many"),
])
def test_a_malformed_field_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_status(wire(**changes))
    assert caught.value.code == code


def test_a_trace_cannot_be_changed_after_the_fact() -> None:
    trace = Trace(RUN, "ab" * 32, ("north",), 3, {"north": 10}, 0.5)
    with pytest.raises(AttributeError):
        trace.rounds = 4  # type: ignore[misc]
