"""Calls about runs: who may make them, what a watcher sees, and to whom a result goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from circle import RUN
from house import KEYS, NODES, House, make_house
from sqlalchemy import Engine

from sealane.api.run.v1 import run_pb2 as pb
from sealane.coordinator import run_service as module
from sealane.coordinator.run_service import RunServicer
from sealane.coordinator.run_state import RunState
from sealane.core.clock import ManualClock
from sealane.core.ids import RUN_ID
from sealane.errors import SealaneError, UnavailableError
from sealane.rpc.error_detail import described_error
from sealane.secagg.attempt import Attempt, sign_endorsement


@pytest.fixture
def house(engine: Engine, clock: ManualClock) -> House:
    return make_house(engine, clock)


@pytest.fixture
def service(house: House) -> RunServicer:
    return RunServicer(house.hub)


async def refused(call: Awaitable[Any]) -> SealaneError:
    with pytest.raises(SealaneError) as caught:
        await call
    return caught.value


async def test_a_recipient_starts_a_run(service: RunServicer, house: House) -> None:
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    request = pb.StartRunRequest(study_hash=study.hash)
    assert (await refused(service.StartRun(request, house.calls("iris")))).code == "run.not-approved"
    house.approve(study)
    assert (await refused(service.StartRun(request, house.calls("north")))).code == "auth.role"
    assert (await refused(service.StartRun(request, house.calls("otto")))).code == "auth.not-a-recipient"
    assert house.hub.store.all_runs() == []
    run_id = (await service.StartRun(request, house.calls("iris"))).run_id
    assert RUN_ID.fullmatch(run_id)
    listed = await service.ListRuns(pb.ListRunsRequest(), house.calls("vera"))
    status, = listed.runs
    assert (status.run_id, status.study_hash, status.state) == (run_id, study.hash, pb.RUN_STATE_PROPOSED)
    assert (status.started_at, sorted(status.waiting_for), status.attempt) == ("2026-03-01T12:00:00Z", list(NODES), 0)


async def test_a_watcher_sees_each_change_and_the_end(
    service: RunServicer, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 30.0)  # only changes wake it
    study = house.running()
    watching = service.WatchRun(pb.WatchRunRequest(run_id=RUN[:8]), house.calls("north"))
    seen = []

    async def watch() -> None:
        async for response in watching:
            seen.append(response.status)
            # Between what it was told and its next waiting something changes each time: nothing of it is missed.
            if len(seen) <= len(NODES):
                house.join(study, NODES[len(seen) - 1])
            elif len(seen) == len(NODES) + 1:
                house.hub.runs[RUN].abort(UnavailableError("run.cancelled", "no"))

    await asyncio.wait_for(watch(), 5)
    assert [len(s.waiting_for) for s in seen[:4]] == [3, 2, 1, 3]
    assert [s.state for s in seen] == [pb.RUN_STATE_PROPOSED] * 3 + [pb.RUN_STATE_RUNNING, pb.RUN_STATE_ABORTED]
    assert sorted(seen[3].cohort) == list(NODES)
    assert seen[3].bytes_sent == dict.fromkeys(NODES, 10)
    error = described_error(seen[-1].error)
    assert (type(error), error.code) == (UnavailableError, "run.cancelled")


async def test_what_is_over_or_paused_is_told_once(service: RunServicer, house: House) -> None:
    house.running()
    for state in (RunState.PAUSED, RunState.ABORTED):
        house.hub.runs[RUN].facts = replace(house.hub.runs[RUN].facts, state=state)
        seen = [r.status.state async for r in service.WatchRun(pb.WatchRunRequest(run_id=RUN), house.calls("iris"))]
        assert seen == [getattr(pb, f"RUN_STATE_{state}")]
    house.hub.store.save(house.hub.runs.pop(RUN).facts)  # of a former process
    seen = [r.status.state async for r in service.WatchRun(pb.WatchRunRequest(run_id=RUN), house.calls("iris"))]
    assert seen == [pb.RUN_STATE_ABORTED]


async def test_resume_and_cancel_are_the_recipients(service: RunServicer, house: House) -> None:
    house.running()
    resume, cancel = pb.ResumeRunRequest(run_id=RUN), pb.CancelRunRequest(run_id=RUN)
    for call in (lambda who: service.ResumeRun(resume, house.calls(who)),
                 lambda who: service.CancelRun(cancel, house.calls(who))):
        assert (await refused(call("north"))).code == "auth.role"
        assert (await refused(call("otto"))).code == "auth.not-a-recipient"
    assert (await refused(service.ResumeRun(resume, house.calls("iris")))).code == "run.not-paused"
    run = house.hub.runs[RUN]
    run._move(RunState.PAUSED, error=UnavailableError("run.node-lost", "lost"))
    answer = await service.ResumeRun(resume, house.calls("iris"))
    assert (answer.status.state, answer.status.HasField("error")) == (pb.RUN_STATE_PROPOSED, False)
    ended = await service.CancelRun(cancel, house.calls("iris"))
    error = described_error(ended.status.error)
    assert (ended.status.state, error.code) == (pb.RUN_STATE_ABORTED, "run.cancelled")
    assert "iris" in error.message
    assert (await refused(service.CancelRun(cancel, house.calls("iris")))).code == "run.over"
    assert (await refused(service.ResumeRun(resume, house.calls("iris")))).code == "run.over"
    unknown = pb.CancelRunRequest(run_id="r-" + "z" * 16)
    assert (await refused(service.CancelRun(unknown, house.calls("iris")))).code == "run.unknown"


async def test_a_result_goes_to_whom_it_is_sealed(service: RunServicer, house: House) -> None:
    study = house.running()
    fetch = pb.FetchResultRequest(run_id=RUN)
    early = await refused(service.FetchResult(fetch, house.calls("iris")))
    assert (early.code, early.got) == ("result.not-yet", "PROPOSED")
    for name in NODES:
        house.join(study, name)
    run = house.hub.runs[RUN]
    attempt = Attempt(RUN, study.hash, 0, "masking", run.facts.members, study.colluding, study.smallest_cohort)
    endorsed = {KEYS[n].fingerprint: sign_endorsement(KEYS[n], attempt, attempt.transcript(), b"h" * 32) for n in NODES}
    house.hub.store.save_result(RUN, {KEYS["iris"].fingerprint: b"sealed"}, endorsed)
    run.facts = replace(run.facts, state=RunState.COMPLETED)
    house.hub.store.save(run.facts)
    answer = await service.FetchResult(fetch, house.calls("iris"))
    assert (answer.sealed_result, answer.status.state) == (b"sealed", pb.RUN_STATE_COMPLETED)
    assert {e.fingerprint: (e.signing_key, e.attempt, e.result_hash, e.transcript, e.signature)
            for e in answer.endorsements} == {
        f: (k.public_key, 0, b"h" * 32, endorsed[f].transcript, endorsed[f].signature)
        for f, k in ((KEYS[n].fingerprint, KEYS[n]) for n in NODES)}
    other = await refused(service.FetchResult(fetch, house.calls("otto")))
    assert (other.code, other.got) == ("result.not-a-recipient", "otto")
    assert (await refused(service.FetchResult(fetch, house.calls("north")))).code == "auth.role"


async def test_a_run_that_failed_says_why_instead_of_a_result(service: RunServicer, house: House) -> None:
    house.running()
    house.hub.runs[RUN].abort(UnavailableError("run.node-lost", "a node was lost", hint="bring it back"))
    error = await refused(service.FetchResult(pb.FetchResultRequest(run_id=RUN), house.calls("iris")))
    assert (error.code, error.hint, type(error)) == ("run.node-lost", "bring it back", UnavailableError)


@pytest.mark.parametrize("wanted", ["r" * 33, "r-\n\x07"])
async def test_what_is_asked_for_is_bounded_text(wanted: str, service: RunServicer, house: House) -> None:
    call = service.FetchResult(pb.FetchResultRequest(run_id=wanted), house.calls("iris"))
    assert (await refused(call)).code == "wire.bad-text"
