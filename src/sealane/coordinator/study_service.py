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
        """List studies, newest first."""
        authenticate(context, self._hub.registry, EVERYBODY)
        return pb.ListStudiesResponse(studies=[encode_study(s) for s in self._hub.store.all_studies()])

    async def GetStudy(self, request: pb.GetStudyRequest, context: _Context) -> pb.GetStudyResponse:
        """Return one study with everything signed about it."""
        authenticate(context, self._hub.registry, EVERYBODY)
        return pb.GetStudyResponse(study=encode_study(self._hub.store.study(text(request.study, "study", 64))))
