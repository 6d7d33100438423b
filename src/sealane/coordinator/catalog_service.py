"""Calls about what nodes publish."""

from __future__ import annotations

from typing import Any

import grpc.aio

from sealane.api.catalog.v1 import catalog_pb2 as pb
from sealane.api.catalog.v1.catalog_pb2_grpc import CatalogServiceServicer
from sealane.coordinator.authentication import authenticate
from sealane.coordinator.hub import Hub
from sealane.governance.catalog_query import fits
from sealane.governance.publication import verify_publication
from sealane.rpc.catalog_codec import decode_after, decode_query, encode_catalog

_Context = grpc.aio.ServicerContext[Any, Any]
EVERYBODY = ("node", "analyst", "auditor")
PAGE_ENTRIES = 100
PAGE_BYTES = 4 << 20


class CatalogServicer(CatalogServiceServicer):
    """Serves ``CatalogService``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def ListEntries(self, request: pb.ListEntriesRequest, context: _Context) -> pb.ListEntriesResponse:
        """List published datasets that fit every filter; not those of nodes that left or are in quarantine."""
        authenticate(context, self._hub.registry, EVERYBODY)
        query, after = decode_query(request), decode_after(request)
        present = {party.fingerprint for party in self._hub.registry.by_role("node") if party.status == "enrolled"}
        response, size = pb.ListEntriesResponse(), 0
        for fingerprint, signed in self._hub.store.catalog.published(after):
            if fingerprint not in present:
                continue
            publication = verify_publication(signed)
            if not fits(publication, query):
                continue
            response.entries.append(encode_catalog(signed))
            size += len(signed.body)
            if len(response.entries) >= PAGE_ENTRIES or size >= PAGE_BYTES:
                response.next = f"{publication.node}/{publication.dataset}"
                break
        return response
