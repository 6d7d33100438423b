"""A node's stream written by hand, byte for byte, and the small town of parties that it is tried on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from sealane._version import __version__
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.cli.local_federation import COORDINATOR, loopback_settings
from sealane.coordinator.home import CoordinatorHome, load_coordinator
from sealane.coordinator.hub import Hub
from sealane.coordinator.initialise import initialise
from sealane.coordinator.registry import Party
from sealane.coordinator.serve import serving
from sealane.errors import SealaneError
from sealane.rpc.enrolment import enrol
from sealane.rpc.identity import Identity, load_identity
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import TlsFiles, secure_channel

METHOD = "/sealane.api.stream.v1.NodeStreamService/Connect"
ANSWER_SECONDS = 10.0
NODES = ("north", "south", "west")
PARTIES = dict.fromkeys((*NODES, "stranger"), "node") | {"analyst": "analyst"}


@dataclass
class Town:
    """A coordinator's home and the parties enrolled with it."""

    path: Path
    home: CoordinatorHome
    hub: Hub = field(init=False)

    def identity(self, name: str) -> Identity:
        """Return a party's identity, with all its keys."""
        return load_identity(self.path / name)

    def node(self, name: str) -> Party:
        """Return a party as the coordinator knows it."""
        return self.home.registry.get(name)

    def codes(self, kind: str) -> list[str]:
        """Return the details of the events of a kind."""
        return [event.detail for event in self.hub.store.list_events(0, 1000) if event.kind == kind]


async def build_town(path: Path) -> None:
    """Make a coordinator and enrol three nodes and an analyst, below a directory."""
    made = initialise(path / COORDINATOR, loopback_settings())
    async with serving(path / COORDINATOR):
        await asyncio.gather(*(enrol(made.invite(name, role).to_text(), path / name) for name, role in PARTIES.items()))
    made.engine.dispose()


def open_town(path: Path) -> Town:
    """Open what :func:`build_town` made."""
    return Town(path, load_coordinator(path / COORDINATOR))


class Raw:
    """One stream to a coordinator; what is written may be anything."""

    def __init__(self, identity: Identity, tls: TlsFiles | None = None) -> None:
        self.identity = identity
        self._address = identity.coordinator_address
        self._channel = secure_channel(self._address, identity.tls.ca, tls or identity.tls, largest=64 << 20)
        self._call: Any = self._channel.stream_stream(METHOD, response_deserializer=pb.ConnectResponse.FromString)()

    async def __aenter__(self) -> Raw:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._call.cancel()
        await self._channel.close()

    async def write(self, data: bytes | Message) -> None:
        """Write one frame, unless the stream is over already: its end then says why."""
        try:
            await self._call.write(data if isinstance(data, bytes) else data.SerializeToString())
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def hello(self) -> None:
        """Begin as a node does."""
        await self.write(pb.ConnectRequest(hello=pb.Hello(version=__version__)))
        await self.until("welcome")

    async def done_writing(self) -> None:
        """Write no more."""
        await self._call.done_writing()

    async def until(self, kind: str) -> Any:
        """Read until a message of a kind comes, and return it."""
        while True:
            try:
                response = await asyncio.wait_for(self._call.read(), ANSWER_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise from_rpc_error(error, self._address) from None
            if response is grpc.aio.EOF:
                raise AssertionError(f"the stream ended without {kind}: {await self._call.code()}")
            if response.WhichOneof("message") == kind:
                return getattr(response, kind)

    async def end(self) -> SealaneError:
        """Read to the end, and return the error that it is."""
        try:
            while await asyncio.wait_for(self._call.read(), ANSWER_SECONDS) is not grpc.aio.EOF:
                pass
            code, details = await self._call.code(), await self._call.details()
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error, self._address)
        metadata = await self._call.trailing_metadata()
        return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details), self._address)


async def refused(identity: Identity, *frames: bytes | Message, hello: bool = True) -> SealaneError:
    """Open a stream, write frames and return the error that ends it."""
    async with Raw(identity) as raw:
        if hello:
            await raw.hello()
        for frame in frames:
            await raw.write(frame)
        return await raw.end()
