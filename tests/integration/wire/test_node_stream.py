"""What a node (or somebody with its keys) may write on its stream, and what it gets for it."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest
from google.protobuf.message import Message
from raw_stream import Raw, Town, refused

from sealane._version import __version__
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.coordinator import stream as module
from sealane.coordinator.serve import serving
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.frames import MAXIMUM_MESSAGE_BYTES

pytestmark = pytest.mark.integration
RUN = "r-aaaaaaaaaaaaaaaa"
HELLO = pb.ConnectRequest(hello=pb.Hello(version=__version__))
CONTRIBUTION = pb.ConnectRequest(contribution=pb.Contribution(
    run_id=RUN, description_hash=bytes(32), signature=bytes(64), payload=bytes(800)))


def chunk(total: int, offset: int, data: bytes, transfer: int = 7) -> pb.ConnectRequest:
    return pb.ConnectRequest(chunk=pb.Chunk(transfer=transfer, total_bytes=total, offset=offset, data=data))


def contribution(**fields: object) -> pb.ConnectRequest:
    message = pb.ConnectRequest()
    message.CopyFrom(CONTRIBUTION)
    for name, value in fields.items():
        setattr(message.contribution, name, value)
    return message


@pytest.mark.parametrize(("frames", "branch", "code"), [
    ([b"\xff" * 40], ProtocolError, "wire.malformed"),
    ([CONTRIBUTION.SerializeToString()[:-7]], ProtocolError, "wire.malformed"),
    ([b"\x52\x05" + b"\xff" * 5], ProtocolError, "wire.malformed"),  # a chunk (field 10) that is none
    ([b""], ProtocolError, "wire.unknown-message"),
    ([b"\xa2\x06\x03abc"], ProtocolError, "wire.unknown-message"),  # field 100, which nobody has heard of
    ([bytes(5 << 20)], InputError, "rpc.message-too-large"),
    ([chunk(MAXIMUM_MESSAGE_BYTES + 1, 0, b"x")], ProtocolError, "payload.too-large"),
    ([chunk(2**64 - 1, 0, b"x")], ProtocolError, "payload.too-large"),
    ([chunk(0, 0, b"")], ProtocolError, "payload.too-large"),
    ([chunk(100, 10, b"x")], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(100, 0, b"xx"), chunk(100, 1, b"x")], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(100, 0, b"xx"), chunk(101, 2, b"x")], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(100, 0, b"xx"), chunk(100, 2, b"x", transfer=8)], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(3, 0, b"xx"), chunk(3, 2, b"xx")], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(3, 0, b"xx"), chunk(3, 2, b"")], ProtocolError, "payload.chunk-out-of-order"),
    ([chunk(4, 0, b"\xff\xff"), chunk(4, 2, b"\xff\xff")], ProtocolError, "wire.malformed"),
    ([chunk(len(m := chunk(1, 0, b"x").SerializeToString()), 0, m)], ProtocolError, "wire.unknown-message"),
    ([HELLO], ProtocolError, "stream.second-hello"),
    ([pb.ConnectRequest(join=pb.Join(run_id=RUN, agreement_key=bytes(31), signature=bytes(64)))], ProtocolError,
     "wire.wrong-length"),
    ([pb.ConnectRequest(join=pb.Join(run_id="../../etc", agreement_key=bytes(32), signature=bytes(64)))],
     ProtocolError, "wire.bad-run-id"),
    ([contribution(signature=bytes(65))], ProtocolError, "wire.wrong-length"),
    ([contribution(attempt=2**32 - 1)], ProtocolError, "wire.out-of-range"),
    ([contribution(exchange=2**32 - 1)], ProtocolError, "wire.out-of-range"),
    ([pb.ConnectRequest(release=pb.Release(run_id=RUN, sealed={"not a fingerprint": b"x"}))], ProtocolError,
     "wire.bad-fingerprint"),
    ([pb.ConnectRequest(failure=pb.Failure(run_id="r"))], ProtocolError, "wire.bad-run-id"),
    ([pb.ConnectRequest(statement={})], ProtocolError, "wire.wrong-length"),
])
async def test_what_does_not_fit_ends_the_stream_with_a_typed_error(
    town: Town, frames: list[bytes | Message], branch: type[SealaneError], code: str
) -> None:
    error = await refused(town.identity("north"), *frames)
    assert (type(error), error.code) == (branch, code)
    assert error.message
    if code != "rpc.message-too-large":
        assert town.codes("node.protocol-error") == [error.code]


@pytest.mark.parametrize(("frames", "code"), [
    ([CONTRIBUTION], "stream.no-hello"),
    ([b"\xff" * 40], "wire.malformed"),
    ([pb.ConnectRequest(hello=pb.Hello(version="1\x1b[2J"))], "wire.bad-text"),
    ([pb.ConnectRequest(hello=pb.Hello(version="1", computations=["x"] * 1001))], "wire.too-many"),
])
async def test_a_stream_begins_with_a_sound_hello(town: Town, frames: list[bytes | Message], code: str) -> None:
    error = await refused(town.identity("north"), *frames, hello=False)
    assert (type(error), error.code) == (ProtocolError, code)
    assert town.node("north").fingerprint not in town.hub.connections


async def test_silence_instead_of_hello_is_ended(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELLO_SECONDS", 0.3)
    assert (await refused(town.identity("north"), hello=False)).code == "stream.no-hello"
    async with Raw(town.identity("north")) as raw:
        await raw.done_writing()
        assert (await raw.end()).code == "stream.no-hello"


async def test_a_message_for_a_run_that_nobody_knows_is_passed_over(town: Town) -> None:
    async with Raw(town.identity("north")) as raw:
        await raw.hello()
        await raw.write(CONTRIBUTION)
        await raw.write(HELLO)
        assert (await raw.end()).code == "stream.second-hello"


@pytest.mark.parametrize(("act", "code"), [("quarantine", "auth.quarantined"), ("remove", "auth.not-registered")])
async def test_the_stream_of_a_party_that_was_turned_away_is_cut_within_2_s(town: Town, act: str, code: str) -> None:
    async with Raw(town.identity("north")) as raw:
        await raw.hello()
        getattr(town.home.registry, act)("north")
        told = time.monotonic()
        error = await raw.end()
        assert time.monotonic() - told < 2
    assert (type(error), error.code) == (RefusedError, code)
    assert error.hint
    assert town.codes("node.turned-away") == [code]
    assert (await refused(town.identity("north"), HELLO, hello=False)).code == code


async def test_an_analyst_is_no_node(town: Town) -> None:
    error = await refused(town.identity("analyst"), HELLO, hello=False)
    assert (type(error), error.code, error.got) == (RefusedError, "auth.role", "analyst analyst")


async def test_a_second_stream_of_a_node_replaces_the_first(town: Town) -> None:
    async with Raw(town.identity("north")) as first, Raw(town.identity("north")) as second:
        await first.hello()
        await second.hello()
        error = await first.end()
        assert (type(error), error.code, error.got) == (RefusedError, "stream.replaced", "north")
        await asyncio.sleep(0.1)
        assert town.node("north").fingerprint in town.hub.connections


async def test_ports_in_use(town: Town, tmp_path: Path) -> None:
    other = shutil.copytree(town.home.home, tmp_path / "other")  # its own home may be served once only
    with pytest.raises(UnavailableError) as caught:
        async with serving(other):
            pytest.fail("two coordinators serve one port")
    assert caught.value.code == "listen.failed"
    assert town.home.settings.listen.main in caught.value.message
    assert "doctor" in str(caught.value.hint)
