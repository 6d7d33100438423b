"""Reads of the audit log: events, and proofs for those who verify offline."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from sealane._version import __version__
from sealane.api.audit.v1 import audit_pb2 as pb
from sealane.api.audit.v1.audit_pb2_grpc import AuditServiceServicer
from sealane.audit.note import Note, parse_line
from sealane.audit.policy import Policy
from sealane.coordinator.authentication import authenticate
from sealane.coordinator.hub import Hub
from sealane.coordinator.witnessing import study_policy
from sealane.core.ids import Fingerprint
from sealane.errors import InputError, UnavailableError
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import parse_study
from sealane.rpc.bounds import text

_Context = grpc.aio.ServicerContext[Any, Any]
DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
COSIGNING_SECONDS = 8.0
"""How long a call waits until the newest leaves are under a checkpoint that counts."""
READERS = ("auditor", "analyst")


class AuditServicer(AuditServiceServicer):
    """Serves ``AuditService``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ListEvents(self, request: pb.ListEventsRequest, context: _Context) -> pb.ListEventsResponse:
        """List events after a sequence number, oldest first."""
        authenticate(context, self._hub.registry, ("auditor",))
        limit = min(request.limit or DEFAULT_LIMIT, LARGEST_LIMIT)
        return pb.ListEventsResponse(events=[
            pb.Event(sequence=e.sequence, at=e.at, kind=e.kind, party=e.party, subject=e.subject, detail=e.detail)
            for e in self._hub.store.list_events(min(request.after, 2**62), limit)])

    async def ProveRun(self, request: pb.ProveRunRequest, context: _Context) -> pb.ProveRunResponse:
        """Return every leaf about a run and its study, with proofs."""
        authenticate(context, self._hub.registry, READERS)
        store, log = self._hub.store, self._hub.store.log
        facts, _ = store.run(text(request.run_id, "run", 32))
        record = store.study(facts.study_hash)
        study = parse_study(record.study)
        keys = {Fingerprint(verify_agreement(s, study).fingerprint): s.public_key
                for s in record.statements if isinstance(s, SignedAgreement)}
        policy = study_policy(self._hub.key.public_key, keys, study.colluding)
        leaves = log.about(facts.run_id, facts.study_hash)
        size, note = await self._counting(policy, leaves[-1][0] + 1)
        newest_size, newest = self._hub.witnessing.checkpoint(policy, size) or (size, note)
        if request.seen > newest_size:
            raise InputError("audit.no-such-size", "no cosigned checkpoint of the log is so large",
                             got=request.seen, expected=f"at most {newest_size}")
        endorsed = store.endorsed(facts.run_id)
        return pb.ProveRunResponse(
            run_id=facts.run_id, study=record.study, version=__version__, attempt=max(facts.attempt, 0),
            statements=[pb.Signed(kind=s.kind, body=s.body, public_key=s.public_key,
                                  signature=s.signature) for s in record.statements],
            members=[pb.RunMember(fingerprint=m.fingerprint, agreement_key=m.agreement_key, signature=m.signature)
                     for m in facts.members],
            endorsements=[pb.RunEndorsement(public_key=keys[f], attempt=e.attempt, result_hash=e.result_hash,
                                            transcript=e.transcript, signature=e.signature)
                          for f, e in sorted(endorsed.items())],
            checkpoint=note.to_bytes(), newest=newest.to_bytes(), newest_proof=log.consistency(size, newest_size),
            seen_proof=log.consistency(request.seen, newest_size) if request.seen else (),
            leaves=[pb.ProvedLeaf(position=position, entry=entry, proof=log.inclusion(position, size))
                    for position, entry in leaves])

    async def ProveLeaf(self, request: pb.ProveLeafRequest, context: _Context) -> pb.ProveLeafResponse:
        """Return one leaf with its proof under the newest cosigned checkpoint."""
        authenticate(context, self._hub.registry, READERS)
        log = self._hub.store.log
        entry = log.entry(min(request.position, 2**62))
        sizes = log.cosigned_sizes(request.position + 1) if entry is not None else []
        if entry is None:
            raise InputError("audit.no-such-leaf", "the log holds no such leaf", got=request.position,
                             expected=f"0 to {log.head()[0] - 1}")
        if not sizes:
            raise _not_cosigned()
        signed = self._hub.witnessing.signed(sizes[0])
        lines = tuple(parse_line(line) for _, line in sorted(log.cosigned(sizes[0]).items()))
        leaf = pb.ProvedLeaf(position=request.position, entry=entry, proof=log.inclusion(request.position, sizes[0]))
        return pb.ProveLeafResponse(checkpoint=Note(signed.text, signed.signatures + lines).to_bytes(), leaf=leaf)

    async def _counting(self, policy: Policy, least: int) -> tuple[int, Note]:
        """Return the oldest checkpoint that counts and covers the first leaves, once there is one."""
        self._hub.witnessing.publish()
        try:
            async with asyncio.timeout(COSIGNING_SECONDS):
                while True:
                    found = self._hub.witnessing.checkpoint(policy, least, oldest=True)
                    if found is not None:
                        return found
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _not_cosigned() from None


def _not_cosigned() -> UnavailableError:
    return UnavailableError("audit.not-cosigned", "no checkpoint that covers these leaves has enough cosignatures yet",
                            hint="more than (n + c)/2 of the study's nodes must be connected; try again")
