"""Nodes with valid keys that break the protocol of a run: it ends with their name, and the coordinator serves on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import signed
from raw_stream import NODES, Raw, Town

from sealane.api.run.v1 import run_pb2
from sealane.api.run.v1.run_pb2_grpc import RunServiceStub
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.clock import to_text
from sealane.core.entropy import random_secret
from sealane.core.ids import new_run_id
from sealane.crypto.agreement import AgreementKey
from sealane.errors import ProtocolError, SealaneError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.codec import described_error, encode_from_node
from sealane.rpc.tls import secure_channel
from sealane.secagg.attempt import sign_join

pytestmark = pytest.mark.integration


@dataclass
class Trio:
    """Three streams in a run that has started."""

    town: Town
    study: Study
    run_id: str
    streams: dict[str, Raw]

    def contribution(self, exchange: int = 0, payload: bytes = bytes(800), attempt: int = 0) -> pb.ConnectRequest:
        return pb.ConnectRequest(contribution=pb.Contribution(
            run_id=self.run_id, attempt=attempt, exchange=exchange, description_hash=bytes(32), signature=bytes(64),
            payload=payload, relay_whole=True, word_bits=64))

    def first(self) -> str:
        """The node whose proposals are relayed."""
        return min(NODES, key=lambda name: self.town.node(name).fingerprint)

    async def ended(self, name: str) -> SealaneError | None:
        """The error that a node is told the run ended with."""
        message = await self.streams[name].until("run_ended")
        return described_error(message.error)

    async def status(self) -> run_pb2.RunStatus:
        """What an analyst sees of the run."""
        analyst = self.town.identity("analyst")
        async with secure_channel(analyst.coordinator_address, analyst.tls.ca, analyst.tls) as channel:
            return (await RunServiceStub(channel).ListRuns(run_pb2.ListRunsRequest(), timeout=10)).runs[0]


@pytest.fixture
async def trio(town: Town) -> AsyncIterator[Trio]:
    """A study approved by all, its run offered, joined and started."""
    analyst = town.identity("analyst")
    study = make_study(
        name="s", sector="finance", purpose="credit-risk", data_contract="finance.credit-application/v1",
        computation="statistics.describe", parameters={"columns": ["int_rate"]}, expires="2099-01-01T00:00:00Z",
        participants=[Participant(name=name, fingerprint=town.node(name).fingerprint) for name in NODES],
        recipients=[recipient_of("analyst", analyst.signing_key, analyst.sealing_key)])
    town.hub.propose(study, town.home.registry.get("analyst"))
    run_id = new_run_id()
    async with AsyncExitStack() as stack:
        streams = {name: await stack.enter_async_context(Raw(town.identity(name))) for name in NODES}
        for name, raw in streams.items():
            await raw.hello()
            said = signed.agreement(study, raw.identity.signing_key, name, at=to_text(town.home.clock()))
            await raw.write(encode_from_node(said))
            while len((await raw.until("study")).statements) < list(NODES).index(name) + 1:
                pass
        town.hub.start_run(town.hub.store.study(study.hash), run_id, town.home.registry.get("analyst"))
        for raw in streams.values():
            await raw.until("run_offer")
            key = AgreementKey(random_secret())
            await raw.write(encode_from_node(sign_join(raw.identity.signing_key, study.hash, run_id, key.public_key)))
        for raw in streams.values():
            await raw.until("start")
        yield Trio(town, study, run_id, streams)


async def test_a_node_that_answers_twice_with_different_bytes(trio: Trio) -> None:
    for payload in (bytes(800), bytes(800), b"\x01" + bytes(799)):  # the same again is no harm
        await trio.streams["north"].write(trio.contribution(payload=payload))
    for name in NODES:
        error = await trio.ended(name)
        assert isinstance(error, ProtocolError)
        assert error.code == "run.equivocation"
        assert "north" in error.message
    assert trio.town.codes("run.aborted") == ["run.equivocation"]
    assert (await trio.status()).state == run_pb2.RUN_STATE_ABORTED


async def test_a_node_that_names_an_attempt_that_never_began(trio: Trio) -> None:
    await trio.streams["south"].write(trio.contribution(attempt=1))
    error = await trio.ended("west")
    assert error is not None
    assert error.code == "run.attempt-unknown"
    assert "south" in error.message


async def test_a_node_that_opens_more_exchanges_than_anyone_holds(trio: Trio) -> None:
    for exchange in range(300):
        await trio.streams["south"].write(trio.contribution(exchange, bytes(8)))
    error = await trio.ended("south")
    assert error is not None
    assert error.code == "run.exchange-ahead"


async def test_contributions_of_different_lengths(trio: Trio) -> None:
    await trio.streams["north"].write(trio.contribution())
    await trio.streams["west"].write(trio.contribution(payload=bytes(801)))
    error = await trio.ended("south")
    assert error is not None
    assert error.code == "run.payload-length"


async def test_a_proposal_far_ahead_does_not_hide_the_run_from_others(trio: Trio) -> None:
    """Exchange 2^32-1 once made every list of runs fail."""
    far = pb.Proposal(run_id=trio.run_id, attempt=0, exchange=999_999, value=bytes(8), signature=bytes(64))
    await trio.streams[trio.first()].write(pb.ConnectRequest(proposal=far))
    other = next(name for name in NODES if name != trio.first())
    await trio.streams[other].until("proposal")
    assert (await trio.status()).state == run_pb2.RUN_STATE_RUNNING
    far.exchange = 2**32 - 1
    await trio.streams[trio.first()].write(pb.ConnectRequest(proposal=far))
    assert (await trio.streams[trio.first()].end()).code == "wire.out-of-range"
    assert (await trio.status()).state == run_pb2.RUN_STATE_RUNNING


async def test_a_node_whose_turn_it_is_not(trio: Trio) -> None:
    other = next(name for name in NODES if name != trio.first())
    await trio.streams[other].write(pb.ConnectRequest(proposal=pb.Proposal(
        run_id=trio.run_id, value=bytes(8), signature=bytes(64))))
    error = await trio.ended(trio.first())
    assert error is not None
    assert error.code == "run.not-proposer"


async def test_an_enrolled_node_outside_the_study_changes_nothing(trio: Trio) -> None:
    async with Raw(trio.town.identity("stranger")) as raw:
        await raw.hello()
        await raw.write(trio.contribution())
        error = await raw.end()
    assert (type(error), error.code) == (ProtocolError, "run.not-a-member")
    assert (await trio.status()).state == run_pb2.RUN_STATE_RUNNING


async def test_a_statement_in_another_nodes_name(trio: Trio) -> None:
    north = trio.town.identity("north")
    said = signed.agreement(trio.study, north.signing_key, "north", at=to_text(trio.town.home.clock()))
    await trio.streams["west"].write(encode_from_node(said))
    assert (await trio.streams["west"].end()).code == "study.statement-of-another"
