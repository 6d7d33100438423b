"""The node's end of the stream: messages out through an outbox, messages in through an iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from sealane.api.stream.v1.stream_pb2 import DESCRIPTOR, Chunk
from sealane.errors import InputError, UnavailableError
from sealane.rpc.codec import FromCoordinator, FromNode
from sealane.rpc.frames import MAXIMUM_MESSAGE_BYTES, Assembler
from sealane.rpc.identity import Identity
from sealane.rpc.outbox import Outbox
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import secure_channel
from sealane.rpc.transfers import from_node, read_from_coordinator, read_told

CONNECT = f"/{DESCRIPTOR.services_by_name['NodeStreamService'].full_name}/Connect"


class Link:
    """An open stream to the coordinator."""

    def __init__(self, address: str, call: grpc.aio.StreamStreamCall[Any, Any], outbox: Outbox) -> None:
        self.address = address
        self.largest = MAXIMUM_MESSAGE_BYTES
        self._call = call
        self._outbox = outbox

    def send(self, message: FromNode) -> None:
        """Put a message into the outbox.

        Raises:
            InputError: it is larger than the coordinator said, in its welcome, that it takes.
        """
        request = from_node(message)
        if request.size > self.largest:
            raise InputError("payload.over-agreed-limit", "a message is larger than the coordinator takes",
                             got=f"{request.size} bytes", expected=f"at most {self.largest} bytes",
                             hint="sum less at once: fewer features, levels or bins")
        self._outbox.put(request)

    async def __aiter__(self) -> AsyncIterator[FromCoordinator]:
        """Give the coordinator's messages until the stream ends.

        Raises:
            UnavailableError: it was lost.
            ProtocolError: a message is malformed.
            RefusedError: the coordinator turned this node away.
        """
        assembler = Assembler()
        try:
            async for frame in self._call:
                message = _read(frame, assembler)
                if message is not None:
                    yield message
                del message  # it may be of a model's size, and the next may be long in coming
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self.address) from None
        raise UnavailableError("coordinator.closed", "the coordinator ended the stream", got=self.address)


def _read(frame: bytes, assembler: Assembler) -> FromCoordinator | None:
    """Return the message that a frame holds or completes, if it does."""
    message = read_told(frame)
    if not isinstance(message, Chunk):
        return message
    whole = assembler.add(message)
    return None if whole is None else read_from_coordinator(whole)


@asynccontextmanager
async def open_link(identity: Identity) -> AsyncIterator[Link]:
    """Open the stream with this node's identity, and close it at the end of the block."""
    outbox: Outbox = Outbox()
    address = identity.coordinator_address
    channel = secure_channel(address, identity.tls.ca, identity.tls)
    try:
        call = channel.stream_stream(CONNECT, None, None)(aiter(outbox))  # no serialisers: frames are bytes
        yield Link(address, call, outbox)
    finally:
        outbox.close()
        await channel.close(None)
