"""What a coordinator (or somebody with its keys) may write to a serving node: it hangs up, says why, and comes back."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from raw_stream import NODES, Town, open_town

from sealane._version import __version__
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.api.study.v1 import study_pb2
from sealane.coordinator.initialise import initialise
from sealane.errors import RefusedError
from sealane.governance.study import Participant, make_study
from sealane.node import agent as module
from sealane.node.commands import status
from sealane.node.place import Place
from sealane.node.serve import serving
from sealane.rpc.frames import MAXIMUM_MESSAGE_BYTES
from sealane.rpc.listening import bind, new_server
from sealane.rpc.tls import server_credentials

pytestmark = pytest.mark.integration
RUN = "r-aaaaaaaaaaaaaaaa"
WELCOME = pb.ConnectResponse(welcome=pb.Welcome(version=__version__, maximum_message_bytes=MAXIMUM_MESSAGE_BYTES,
                                                chunk_bytes=1 << 20))
STUDY = study_pb2.StudyRecord(study=b"{}", proposer="analyst", proposed_at="2026-01-01T00:00:00Z")
NUDGE = pb.ConnectResponse(nudge=pb.Nudge(run_id=RUN))


class Puppet:
    """A coordinator that says what it is told to, to every stream, and then listens (or hangs up)."""

    def __init__(self) -> None:
        self.lines: list[bytes | Message] = [WELCOME]
        self.hangs_up = False
        self.pause_s = 0.0
        self.streams = 0

    async def connect(self, requests: Any, context: Any) -> AsyncIterator[bytes | Message]:
        self.streams += 1
        for line in list(self.lines):
            yield line
            await asyncio.sleep(self.pause_s)
        if not self.hangs_up:
            async for _ in requests:
                pass

    def handler(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler("sealane.api.stream.v1.NodeStreamService", {
            "Connect": grpc.stream_stream_rpc_method_handler(
                self.connect, request_deserializer=pb.ConnectRequest.FromString,
                response_serializer=lambda line: line if isinstance(line, bytes) else line.SerializeToString())})


@pytest.fixture
async def puppet(model: Path, tmp_path: Path) -> AsyncIterator[tuple[Puppet, Town]]:
    shutil.copytree(model, tmp_path / "town")
    town, puppet = open_town(tmp_path / "town"), Puppet()
    server = new_server(largest=64 << 20)
    server.add_generic_rpc_handlers((puppet.handler(),))
    bind(server, town.home.settings.listen.main, server_credentials(town.home.certificate.current, require_client=True))
    await server.start()
    yield puppet, town
    await server.stop(None)


async def until(there: Callable[[], bool], wait_s: float = 10.0) -> None:
    async with asyncio.timeout(wait_s):
        while not there():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def chunk(total: int, offset: int, data: bytes) -> pb.ConnectResponse:
    return pb.ConnectResponse(chunk=pb.Chunk(transfer=1, total_bytes=total, offset=offset, data=data))


@pytest.mark.parametrize(("lines", "code"), [
    ([NUDGE], "stream.no-welcome"),
    ([WELCOME, WELCOME], "stream.second-welcome"),
    ([pb.ConnectResponse(welcome=pb.Welcome(version="99.1"))], "stream.version"),
    ([b"\xff" * 40], "wire.malformed"),
    ([WELCOME, b"\xff" * 40], "wire.malformed"),
    ([WELCOME, WELCOME.SerializeToString()[:-1]], "wire.malformed"),
    ([WELCOME, b""], "wire.unknown-message"),
    ([WELCOME, b"\xa2\x06\x03abc"], "wire.unknown-message"),
    ([WELCOME, b"\x42\x80\x80\x80\x02" + bytes(4 << 20)], "rpc.message-too-large"),
    ([WELCOME, chunk(MAXIMUM_MESSAGE_BYTES + 1, 0, b"x")], "payload.too-large"),
    ([WELCOME, chunk(100, 50, b"x")], "payload.chunk-out-of-order"),
    ([WELCOME, chunk(2, 0, b"\xff"), chunk(2, 1, b"\xff")], "wire.malformed"),
    ([WELCOME, pb.ConnectResponse(nudge=pb.Nudge(run_id="/etc"))], "wire.bad-run-id"),
    ([WELCOME, pb.ConnectResponse(start=pb.Start(run_id=RUN, attempt=2**32 - 1))], "wire.out-of-range"),
    ([WELCOME, pb.ConnectResponse(arrival=pb.Arrival(run_id=RUN, entries=[pb.Entry(fingerprint="no")]))],
     "wire.bad-fingerprint"),
    ([WELCOME, pb.ConnectResponse(directory=pb.Directory(parties=[study_pb2.Party(name="../..")]))], "wire.bad-name"),
    ([WELCOME, pb.ConnectResponse(run_offer=pb.RunOffer(run_id="r"))], "wire.bad-run-id"),
])
async def test_a_node_hangs_up_says_why_and_comes_back(
    puppet: tuple[Puppet, Town], lines: list[bytes | Message], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinator, town = puppet
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    coordinator.lines = lines
    if code == "rpc.message-too-large":
        coordinator.pause_s = 0.3  # a call that ends while the node still greets loses its status in gRPC's asyncio
    async with serving(town.path / "north") as agent:
        await until(lambda: coordinator.streams >= 3 and agent.problem is not None)
        assert agent.problem is not None
        assert agent.problem.code == code
        shown = status(Place(agent.home, agent))
        assert shown["problem"]["code"] == code
        assert shown["serving"]
        coordinator.lines = [WELCOME]
        await until(lambda: agent.connected)
        assert agent.problem is None


async def test_a_coordinator_that_hangs_up_without_a_word(puppet: tuple[Puppet, Town]) -> None:
    coordinator, town = puppet
    coordinator.lines, coordinator.hangs_up = [], True
    async with serving(town.path / "north") as agent:
        await until(lambda: coordinator.streams >= 2)
        assert agent.problem is not None
        # Which of the two depends on whether hello was out before the stream was gone.
        assert agent.problem.code in ("coordinator.closed", "rpc.closed"), str(agent.problem)


@pytest.mark.parametrize("line", [
    NUDGE,
    pb.ConnectResponse(study=STUDY),
    pb.ConnectResponse(run_offer=pb.RunOffer(run_id=RUN, study=STUDY)),
    pb.ConnectResponse(opening=pb.Opening(run_id=RUN, sealed={"a" * 52: b""})),
    pb.ConnectResponse(run_ended=pb.RunEnded(run_id=RUN)),
])
async def test_what_is_well_formed_and_senseless_is_passed_over(
    puppet: tuple[Puppet, Town], line: Message
) -> None:
    coordinator, town = puppet
    coordinator.lines = [WELCOME, line, pb.ConnectResponse(directory=pb.Directory(parties=[study_pb2.Party(
        name="south", role="node", fingerprint=town.node("south").fingerprint,
        signing_key=town.node("south").signing_key, sealing_key=town.node("south").sealing_key)]))]
    async with serving(town.path / "north") as agent:
        await until(lambda: len(agent.directory.parties) == 1)
        assert agent.connected
        assert agent.problem is None
        assert coordinator.streams == 1
        assert agent.home.register.studies() == []


async def test_made_up_studies_of_made_up_proposers_fill_no_nodes_disk(puppet: tuple[Puppet, Town]) -> None:
    coordinator, town = puppet
    (town.path / "north" / "settings.toml").write_text("[studies]\nopen_per_proposer = 2\nopen_in_all = 3\n")
    parties = [Participant(name=name, fingerprint=town.node(name).fingerprint) for name in NODES]

    def made_up(k: int) -> Message:
        study = make_study(name=f"s{k}", sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
                           computation="glm.fit", parameters={}, expires="2099-01-01T00:00:00Z", participants=parties)
        return pb.ConnectResponse(study=study_pb2.StudyRecord(
            study=study.canonical(), proposer=f"p{k // 3}", proposed_at="2026-01-01T00:00:00Z"))

    coordinator.lines = [WELCOME, *map(made_up, range(12)), pb.ConnectResponse(directory=pb.Directory(parties=[
        study_pb2.Party(name="south", role="node", fingerprint=parties[1].fingerprint,
                        signing_key=town.node("south").signing_key, sealing_key=town.node("south").sealing_key)]))]
    async with serving(town.path / "north") as agent:
        await until(lambda: len(agent.directory.parties) == 1)
        assert sorted(entry.study.name for entry in agent.home.register.studies()) == ["s0", "s1", "s3"]
        assert agent.connected
        assert coordinator.streams == 1


async def test_keys_of_another_coordinator(model: Path, tmp_path: Path) -> None:
    """Somebody answers at the address with a certificate of an authority that this node never joined."""
    shutil.copytree(model, tmp_path / "town")
    town = open_town(tmp_path / "town")
    strange = initialise(tmp_path / "strange", town.home.settings)
    server = new_server()
    server.add_generic_rpc_handlers((Puppet().handler(),))
    bind(server, town.home.settings.listen.main, server_credentials(strange.certificate.current, require_client=True))
    await server.start()
    try:
        async with serving(town.path / "north") as agent:
            await until(lambda: agent.problem is not None)
            assert agent.problem is not None
            assert (type(agent.problem), agent.problem.code) == (RefusedError, "tls.certificate-authority")
            assert not agent.reached.is_set()
    finally:
        await server.stop(None)
