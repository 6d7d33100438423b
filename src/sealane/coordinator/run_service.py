"""Calls about runs: start, watch, resume, cancel, fetch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from sealane.api.run.v1 import run_pb2 as pb
from sealane.api.run.v1.run_pb2_grpc import RunServiceServicer
from sealane.coordinator.authentication import authenticate
from sealane.coordinator.coordination import Coordination
from sealane.coordinator.hub import Hub
from sealane.coordinator.registry import Party
from sealane.coordinator.run_facts import RunFacts
from sealane.coordinator.run_state import RunState
from sealane.core.ids import Fingerprint, new_run_id
from sealane.errors import RefusedError, UnavailableError
from sealane.governance.study import Study, parse_study
from sealane.rpc.bounds import text
from sealane.rpc.error_detail import describe_error

_Context = grpc.aio.ServicerContext[Any, Any]
HEARTBEAT_SECONDS = 1.0
SHORTEST_PICTURE, LONGEST_PICTURE = 0.05, 0.25
EVERYBODY = ("node", "analyst", "auditor")


class RunServicer(RunServiceServicer):
    """Serves ``RunService``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def StartRun(self, request: pb.StartRunRequest, context: _Context) -> pb.StartRunResponse:
        """Start a run of a study that every participant approved."""
        party = authenticate(context, self._hub.registry, ("analyst",))
        record = self._hub.store.study(text(request.study_hash, "study", 64))
        self._check_recipient(parse_study(record.study), party)
        run = self._hub.start_run(record, new_run_id(), party)
        return pb.StartRunResponse(run_id=run.facts.run_id)

    async def WatchRun(self, request: pb.WatchRunRequest, context: _Context) -> AsyncIterator[pb.WatchRunResponse]:
        """Stream a run's progress until it ends or pauses."""
        authenticate(context, self._hub.registry, EVERYBODY)
        facts, started = self._hub.store.run(text(request.run_id, "run", 32))
        while True:
            changed = self._hub.watched.setdefault(facts.run_id, asyncio.Event())
            changed.clear()  # before looking: what changes from here on wakes this up
            run = self._hub.runs.get(facts.run_id)
            facts = run.facts if run is not None else facts
            status = self._status(facts, started, run)
            yield pb.WatchRunResponse(status=status)
            if facts.state.over or facts.state is RunState.PAUSED or run is None:
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            except TimeoutError:
                continue
            # Many small changes make one picture; whoever has watched for long can wait a hundredth of that.
            await asyncio.sleep(min(max(SHORTEST_PICTURE, status.elapsed_s / 100), LONGEST_PICTURE))

    async def ListRuns(self, request: pb.ListRunsRequest, context: _Context) -> pb.ListRunsResponse:
        """List runs, newest first."""
        authenticate(context, self._hub.registry, EVERYBODY)
        return pb.ListRunsResponse(runs=[self._status(f, started, self._hub.runs.get(f.run_id))
                                         for f, started in self._hub.store.all_runs()])

    async def ResumeRun(self, request: pb.ResumeRunRequest, context: _Context) -> pb.ResumeRunResponse:
        """Go on with a paused run."""
        run, started = self._under_way(request.run_id, context)
        run.resume()
        return pb.ResumeRunResponse(status=self._status(run.facts, started, run))

    async def CancelRun(self, request: pb.CancelRunRequest, context: _Context) -> pb.CancelRunResponse:
        """End a run for good."""
        party = authenticate(context, self._hub.registry, ("analyst",))
        run, started = self._under_way(request.run_id, context)
        run.abort(RefusedError("run.cancelled", f"the run was cancelled by {party.name}"))
        return pb.CancelRunResponse(status=self._status(run.facts, started, run))

    async def FetchResult(self, request: pb.FetchResultRequest, context: _Context) -> pb.FetchResultResponse:
        """Return a completed run's result, sealed to the caller, with every node's endorsement."""
        party = authenticate(context, self._hub.registry, ("analyst",))
        facts, started = self._hub.store.run(text(request.run_id, "run", 32))
        found = self._hub.store.result(facts.run_id, party.fingerprint)
        if found is None:
            if facts.error is not None:
                raise facts.error
            if facts.state is RunState.COMPLETED:
                raise RefusedError("result.not-a-recipient", "the result is not sealed to you", got=party.name)
            raise UnavailableError("result.not-yet", "the run has no result yet", got=facts.state,
                                   hint=f"`sealane run watch {facts.run_id}`")
        keys = {m.fingerprint: m.signing_key for m in facts.members}
        sealed, endorsed = found
        return pb.FetchResultResponse(
            sealed_result=sealed, status=self._status(facts, started, self._hub.runs.get(facts.run_id)),
            endorsements=[pb.Endorsement(fingerprint=f, attempt=e.attempt, result_hash=e.result_hash,
                                         transcript=e.transcript, signature=e.signature, signing_key=keys[f])
                          for f, e in sorted(endorsed.items())])

    def _under_way(self, run_id: str, context: _Context) -> tuple[Coordination, str]:
        party = authenticate(context, self._hub.registry, ("analyst",))
        facts, started = self._hub.store.run(text(run_id, "run", 32))
        run = self._hub.runs.get(facts.run_id)
        if run is None or run.facts.state.over:
            raise RefusedError("run.over", "the run is over", got=facts.state,
                               hint="start another: `sealane run start STUDY`")
        self._check_recipient(run.study, party)
        return run, started

    def _check_recipient(self, study: Study, party: Party) -> None:
        if all(r.fingerprint != party.fingerprint for r in study.recipients):
            raise RefusedError("auth.not-a-recipient", "only a recipient of the study may run it", got=party.name)

    def _status(self, facts: RunFacts, started: str, run: Coordination | None) -> pb.RunStatus:
        study = run.study if run is not None else parse_study(self._hub.store.study(facts.study_hash).study)
        names: dict[str, str] = {p.fingerprint: p.name for p in study.participants}
        cohort: tuple[Fingerprint, ...] = tuple(m.fingerprint for m in facts.members)
        status = pb.RunStatus(
            run_id=facts.run_id, study_hash=facts.study_hash, state=f"RUN_STATE_{facts.state}",
            attempt=max(facts.attempt, 0), cohort=[names[f] for f in cohort], started_at=started,
            error=None if facts.error is None else describe_error(facts.error))
        tally = facts.tally if run is None else run.tally
        status.elapsed_s, status.exchanges = tally.elapsed_s, tally.exchanges
        status.bytes_sent.update({names[f]: count for f, count in tally.bytes_sent.items()})
        if run is not None:
            status.waiting_for.extend(names[f] for f in run.waiting_for)
        return status
