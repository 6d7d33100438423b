"""The node stream, at the coordinator: one long call per node, read and written until either side ends it.

gRPC is handed bytes and hands bytes, so that no payload is copied more often than it must be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from sealane._version import __version__
from sealane.api.stream.v1.stream_pb2 import DESCRIPTOR, Chunk
from sealane.coordinator.authentication import admit, admit_logged
from sealane.coordinator.hub import Connection, Hub
from sealane.coordinator.registry import Party
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.codec import FromCoordinator
from sealane.rpc.frames import CHUNK_BYTES, MAXIMUM_MESSAGE_BYTES, Assembler, Outgoing, is_part, responses
from sealane.rpc.notices import Hello, Welcome
from sealane.rpc.outbox import Outbox
from sealane.rpc.peer import authenticated_peer
from sealane.rpc.transfers import from_coordinator, read_from_node, read_said
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
HELLO_SECONDS = 10.0
SERVICE = DESCRIPTOR.services_by_name["NodeStreamService"].full_name
_Context = grpc.aio.ServicerContext[Any, Any]


def add_node_stream(hub: Hub, server: grpc.aio.Server) -> None:
    """Let a server serve the node stream."""
    connect = grpc.stream_stream_rpc_method_handler(NodeStreamServicer(hub).Connect)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Connect": connect}),))


class NodeStreamServicer:
    """Serves ``Connect``."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._last: tuple[FromCoordinator | None, Outgoing] = None, responses(b"")

    async def Connect(self, request_iterator: AsyncIterator[bytes], context: _Context) -> AsyncIterator[bytes]:
        """Carry a node's messages, each a ConnectRequest or a ConnectResponse, both ways until the stream ends."""
        certificate = authenticated_peer(context)
        party = admit_logged(certificate, self._hub.registry, {"node"})
        requests = aiter(request_iterator)
        await _hello(requests)
        outbox: Outbox = Outbox()

        def send(message: FromCoordinator) -> None:
            outbox.put(self._outgoing(message))

        send(Welcome(__version__, MAXIMUM_MESSAGE_BYTES, CHUNK_BYTES))
        connection = Connection(party, send, outbox.close, lambda: admit(certificate, self._hub.registry, {"node"}))
        reader: asyncio.Task[None] | None = None
        try:
            self._hub.connect(connection)
            log(_LOG, "node.connected", node=party.name)
            reader = asyncio.create_task(self._read(requests, party, outbox))
            async for frame in outbox:
                yield frame
                if is_part(frame):
                    self._hub.moved(party.fingerprint)
            if reader.done() and (error := reader.exception()) is not None:
                raise error
            connection.admitted()  # says why, where the party was removed or put in quarantine
            if self._hub.connections.get(party.fingerprint) is not connection:
                log(_LOG, "node.replaced", level=logging.WARNING, node=party.name)
                raise RefusedError("stream.replaced", "another stream of the same identity took this one's place",
                                   got=party.name, expected="one process that serves an identity",
                                   hint="stop the other one; where it is not yours, remove this node and enrol it anew")
        finally:
            outbox.close()
            self._hub.disconnect(connection)
            if reader is not None:
                reader.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await reader

    def _outgoing(self, message: FromCoordinator) -> Outgoing:
        """Encode a message; the same for several nodes in turn, such as an aggregate, only once."""
        last, outgoing = self._last
        if last is not message:
            outgoing = from_coordinator(message)
            self._last = message, outgoing
        return outgoing

    async def _read(self, requests: AsyncIterator[bytes], party: Party, outbox: Outbox) -> None:
        assembler = Assembler()
        try:
            async for frame in requests:
                self._take(frame, party, assembler)
        except UnavailableError:
            raise  # our own trouble, and no fault of the node
        except SealaneError as error:
            log(_LOG, "node.protocol", level=logging.WARNING, node=party.name, error=error)
            with contextlib.suppress(UnavailableError):  # a full disk must not hide what went wrong
                self._hub.store.add_event("node.protocol-error", party.name, party.fingerprint, error.code)
            raise
        finally:
            outbox.close()

    def _take(self, frame: bytes, party: Party, assembler: Assembler) -> None:
        """Take in a frame, and keep no hold of a message that it completes: it may be of a model's size."""
        message = read_said(frame)
        if not isinstance(message, Chunk):
            self._hub.receive(party, message, len(frame))
            return
        self._hub.moved(party.fingerprint)
        whole = assembler.add(message)
        if whole is not None:
            self._hub.receive(party, read_from_node(whole), len(whole))


async def _hello(requests: AsyncIterator[bytes]) -> Hello:
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            first = read_said(await anext(requests))
    except (TimeoutError, StopAsyncIteration) as error:
        raise ProtocolError("stream.no-hello", "the stream did not begin with hello",
                            expected=f"within {HELLO_SECONDS:g} s") from error
    if not isinstance(first, Hello):
        raise ProtocolError("stream.no-hello", "the stream did not begin with hello", got=type(first).__name__)
    return first
