"""Calls about parties and studies."""

from __future__ import annotations

from typing import Any

import grpc.aio

from sealane.api.study.v1 import study_pb2 as pb
from sealane.api.study.v1.study_pb2_grpc import StudyServiceServicer
from sealane.coordinator.authentication import authenticate
from sealane.coordinator.hub import Hub
from sealane.governance.study import parse_study
from sealane.rpc.bounds import text
from sealane.rpc.study_codec import encode_party, encode_study

_Context = grpc.aio.ServicerContext[Any, Any]
EVERYBODY = ("node", "analyst", "auditor")
PAGE_STUDIES = 1000
PAGE_BYTES = 4 << 20


class StudyServicer(StudyServiceServicer):
    """Serves ``StudyService``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ListParties(self, request: pb.ListPartiesRequest, context: _Context) -> pb.ListPartiesResponse:
        """List the parties that the coordinator knows."""
        authenticate(context, self._hub.registry, EVERYBODY)
        return pb.ListPartiesResponse(parties=[encode_party(p) for p in self._hub.directory().parties])

    async def ProposeStudy(self, request: pb.ProposeStudyRequest, context: _Context) -> pb.ProposeStudyResponse:
        """Put a study before its participants."""
        party = authenticate(context, self._hub.registry, ("analyst",))
        study = parse_study(request.study)
        self._hub.propose(study, party)
        return pb.ProposeStudyResponse(study_hash=study.hash)

    async def ListStudies(self, request: pb.ListStudiesRequest, context: _Context) -> pb.ListStudiesResponse:
        """List studies, newest first, in pages."""
        authenticate(context, self._hub.registry, EVERYBODY)
        at, _, last = text(request.after, "page", 90).partition("/")
        response, size = pb.ListStudiesResponse(), 0
        for study_hash, record in self._hub.store.list_studies((at, last) if at else None):
            encoded = encode_study(record)
            response.studies.append(encoded)
            size += encoded.ByteSize()
            if len(response.studies) >= PAGE_STUDIES or size >= PAGE_BYTES:
                response.next = f"{record.proposed_at}/{study_hash}"
                break
        return response

    async def GetStudy(self, request: pb.GetStudyRequest, context: _Context) -> pb.GetStudyResponse:
        """Return one study with everything signed about it."""
        authenticate(context, self._hub.registry, EVERYBODY)
        return pb.GetStudyResponse(study=encode_study(self._hub.store.study(text(request.study, "study", 64))))
