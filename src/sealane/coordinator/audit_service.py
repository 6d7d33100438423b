"""Reads of what the coordinator recorded."""

from __future__ import annotations

from typing import Any

import grpc.aio

from sealane.api.audit.v1 import audit_pb2 as pb
from sealane.api.audit.v1.audit_pb2_grpc import AuditServiceServicer
from sealane.coordinator.authentication import authenticate
from sealane.coordinator.hub import Hub

_Context = grpc.aio.ServicerContext[Any, Any]
DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000


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
