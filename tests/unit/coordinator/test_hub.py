"""What a serving coordinator does with streams, statements, studies and runs, and with a disk that is full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from circle import RUN, seed_of
from house import AT, KEYS, NODES, House, approval, make_house, refusal
from sqlalchemy import Engine

from sealane.coordinator import hub as module
from sealane.coordinator.hub import Hub, approving
from sealane.coordinator.registry import Party
from sealane.coordinator.run_facts import Patience, RunFacts
from sealane.coordinator.run_state import RunState
from sealane.coordinator.store import Store
from sealane.core.canonical import canonical_bytes
from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Participant
from sealane.rpc.notices import Directory, Failure, Hello, RunEnded, RunOffer, StudyRecord
from sealane.secagg.messages import Start

FULL = UnavailableError("storage.full", "the database cannot grow")


@pytest.fixture
def house(engine: Engine, clock: ManualClock) -> House:
    return make_house(engine, clock)


# Streams


def test_a_node_that_comes_hears_who_there_is_and_its_studies(house: House) -> None:
    own, other = house.study(), house.study("other", participants=[
        Participant(name=n, fingerprint=KEYS[n].fingerprint) for n in NODES if n != "west"], minimum_cohort=2,
        colluding=0)
    for study in (own, other):
        house.hub.propose(study, house.parties["iris"])
    house.connect("north")
    house.drain("north")
    house.connect("west")
    directory, *studies = house.drain("west")
    assert isinstance(directory, Directory)
    assert {p.name: p.connected for p in directory.parties} == {
        "north": True, "west": True, "south": False, "iris": False, "otto": False, "vera": False}
    assert [record.study for record in studies] == [own.canonical()]
    assert [e.kind for e in house.hub.store.list_events(0, 9) if e.party == "west"] == ["node.connected"]


def test_a_second_stream_of_a_node_ends_the_first(house: House) -> None:
    first, = house.connect("north")
    second, = house.connect("north")
    assert house.closed == ["north"]
    house.hub.disconnect(first)  # the first notices late: the second stays
    assert house.hub.connections[KEYS["north"].fingerprint] is second
    house.hub.disconnect(second)
    assert house.hub.connections == {}
    house.hub.send(KEYS["north"].fingerprint, RunEnded(RUN))  # to nobody: it catches up when it is back
    assert not any(isinstance(message, RunEnded) for message in house.drain("north"))


def test_a_stream_says_hello_once(house: House) -> None:
    error = house.refused(lambda: house.hub.receive(house.parties["north"], Hello("1", ()), 1))
    assert (error.code, type(error)) == ("stream.second-hello", ProtocolError)


def test_who_was_removed_is_turned_away_and_who_cannot_be_looked_up_is_not(house: House) -> None:
    connection, *_ = house.connect("north", "south")

    def removed() -> Party:
        raise RefusedError("auth.not-registered", "removed")

    def unknown() -> Party:
        raise UnavailableError("storage.locked", "the database is held by someone else")

    connection.admitted = unknown
    assert house.refused(house.hub._check_admitted).code == "storage.locked"
    assert house.closed == []
    connection.admitted = removed
    house.hub._check_admitted()
    assert house.closed == ["north"]
    last = house.hub.store.list_events(0, 99)[-1]
    assert (last.kind, last.party, last.detail) == ("node.turned-away", "north", "auth.not-registered")


# Studies and statements


def test_a_proposed_study_goes_to_its_participants(house: House) -> None:
    house.connect("north", "south")
    house.drain("north"), house.drain("south")
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    house.hub.propose(study, house.parties["iris"])  # again: kept and announced once
    assert [m.study for m in house.drain("north")] == [study.canonical()] == [m.study for m in house.drain("south")]
    assert house.record(study).proposer == "iris"


def test_only_a_recipient_proposes(house: House) -> None:
    error = house.refused(lambda: house.hub.propose(house.study(), house.parties["otto"]))
    assert (error.code, error.got, type(error)) == ("study.not-a-recipient", "otto", RefusedError)
    assert house.hub.store.all_studies() == []


@pytest.mark.parametrize("changes", [{"north": ("north", "x")}, {"north": ("atlantis", "north")},
                                     {"north": ("south", "north"), "south": ("north", "south")},
                                     {"north": ("otto", "otto")}])
def test_participants_are_enrolled_nodes_of_that_name_and_key(
    changes: dict[str, tuple[str, str]], house: House
) -> None:
    keys = {**KEYS, "x": SigningKey(seed_of("another"))}
    named = {name: changes.get(name, (name, name)) for name in NODES}
    study = house.study(participants=[Participant(name=n, fingerprint=keys[k].fingerprint) for n, k in named.values()])
    error = house.refused(lambda: house.hub.propose(study, house.parties["iris"]))
    assert (error.code, error.expected) == ("study.unknown-participant", "north, south, west")
    assert house.hub.store.all_studies() == []


def test_a_statement_is_kept_once_and_passed_on(house: House) -> None:
    house.connect(*NODES)
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    said = approval(study, "north")
    for name in NODES:
        house.drain(name)
    house.hub.receive(house.parties["north"], said, 1)
    house.hub.receive(house.parties["north"], said, 1)
    for name in NODES:
        assert [m.statements for m in house.drain(name)] == [(said,)]


def test_no_node_brings_anothers_statement(house: House) -> None:
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    for statement in (approval(study, "south"), refusal(study, "south")):
        error = house.refused(lambda said=statement: house.hub.receive(house.parties["north"], said, 1))
        assert (error.code, error.got) == ("study.statement-of-another", "north")
    assert house.record(study).statements == ()


@pytest.mark.parametrize(("body", "code", "branch"), [
    (b"{ }", "statement.malformed", ProtocolError), (b"not json", "statement.malformed", ProtocolError),
    (b"[]", "statement.malformed", ProtocolError), (b'{"consumerPid":7}', "statement.malformed", ProtocolError),
    (b'{"consumerPid":"urn:sealane:study:scorecard"}', "statement.malformed", ProtocolError),
    (canonical_bytes({"consumerPid": "urn:sealane:study:" + "0" * 64}), "study.unknown", InputError),
])
def test_a_statement_about_nothing(body: bytes, code: str, branch: type[SealaneError], house: House) -> None:
    house.hub.propose(house.study(), house.parties["iris"])
    key = KEYS["north"]
    said = SignedAgreement(body, key.public_key, key.sign(SignedAgreement.kind, body))
    error = house.refused(lambda: house.hub.receive(house.parties["north"], said, 1))
    assert (error.code, type(error)) == (code, branch)


def test_a_statement_of_another_study_or_signature_is_not_kept(house: House) -> None:
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    good = approval(study, "north")
    forged = replace(good, signature=good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
    stranger = approval(study, "otto")
    assert house.refused(lambda: house.hub.receive(house.parties["north"], forged, 1)).code == "signature.invalid"
    assert house.refused(lambda: house.hub.receive(house.parties["otto"], stranger, 1)).code == \
        "statement.not-a-participant"
    assert house.record(study).statements == ()


def test_a_refusal_is_final_whatever_came_before_or_after(house: House) -> None:
    study = house.study()
    record = StudyRecord(study.canonical(), "iris", AT, (
        approval(study, "north"), approval(study, "south"), refusal(study, "north"), refusal(study, "west"),
        approval(study, "west", at="2026-03-02T12:00:00Z")))
    assert {KEYS["south"].fingerprint} == approving(record, study).keys()


# Runs


def test_a_run_starts_only_with_every_approval(house: House) -> None:
    study = house.study()
    house.hub.propose(study, house.parties["iris"])
    house.approve(study, "north", "south")
    error = house.refused(lambda: house.start(study))
    assert (error.code, error.got, error.expected) == ("run.not-approved", "without west", "3 approvals")
    assert house.hub.store.all_runs() == []
    house.connect(*NODES)
    house.approve(study, "west")
    house.start(study)
    for name in NODES:
        assert [m.run_id for m in house.drain(name) if isinstance(m, RunOffer)] == [RUN]
    assert house.hub.store.run(RUN)[0].state is RunState.PROPOSED


def test_one_run_of_a_study_at_a_time_and_only_as_many_as_agreed(house: House) -> None:
    study = house.running(runs=1)
    error = house.refused(lambda: house.start(study, "r-" + "b" * 16))
    assert (error.code, error.got) == ("run.under-way", "scorecard")
    house.hub.runs[RUN].abort(RefusedError("run.cancelled", "cancelled"))
    house.start(study, "r-" + "c" * 16)  # an aborted run does not count
    house.hub.store.save(replace(house.hub.runs["r-" + "c" * 16].facts, state=RunState.COMPLETED))
    house.hub.runs.clear()
    error = house.refused(lambda: house.start(study, "r-" + "d" * 16))
    assert (error.code, error.got, error.expected) == ("study.runs-exhausted", "1 runs", "at most 1")


def test_a_revoked_approval_ends_the_run_and_bars_the_next(house: House) -> None:
    house.connect(*NODES)
    study = house.running()
    house.hub.receive(house.parties["south"], refusal(study, "south"), 1)
    for name in NODES:
        ended, = [m for m in house.drain(name) if isinstance(m, RunEnded)]
        assert ended.error is not None
        assert ended.error.code == "study.revoked"
        assert "south" in ended.error.message
    assert house.hub.store.run(RUN)[0].state is RunState.ABORTED
    assert house.refused(lambda: house.start(study, "r-" + "b" * 16)).code == "run.not-approved"


def test_messages_reach_their_run_and_late_ones_get_its_end(house: House) -> None:
    house.connect(*NODES)
    study = house.running()
    for name in NODES:
        house.join(study, name)
    assert house.hub.store.run(RUN)[0].state is RunState.RUNNING
    assert all(any(isinstance(m, Start) for m in house.drain(name)) for name in NODES)
    failure = RefusedError("cohort.differencing", "no")
    house.hub.receive(house.parties["west"], Failure(RUN, failure), 1)
    assert house.hub.store.run(RUN)[0].state is RunState.ABORTED
    for name in NODES:
        house.drain(name)
    house.hub.runs.clear()  # after a restart the run is only on disk
    house.join(study, "north")
    ended, = house.drain("north")
    assert isinstance(ended, RunEnded)
    assert ended.error is not None
    assert ended.error.code == "cohort.differencing"
    house.hub.receive(house.parties["north"], Failure("r-" + "z" * 16, failure), 1)  # of a run that never was
    assert house.drain("north") == []


def test_runs_that_are_not_over_are_taken_up_again(house: House, engine: Engine, clock: ManualClock) -> None:
    house.connect(*NODES)
    study = house.running()
    other = house.study("other")
    house.hub.propose(other, house.parties["iris"])
    house.approve(other)
    house.start(other, "r-" + "b" * 16)
    house.hub.runs["r-" + "b" * 16].abort(RefusedError("run.cancelled", "cancelled"))
    for name in NODES:
        house.join(study, name)
    again = House(Hub(Store(engine, clock), house.hub.registry, Patience(), house.hub.key), house.parties)
    again.hub.restore()
    assert list(again.hub.runs) == [RUN]
    taken_up = again.hub.runs[RUN]
    assert taken_up.facts == house.hub.runs[RUN].facts
    assert taken_up.keys == {KEYS[n].fingerprint: KEYS[n].public_key for n in NODES}
    again.connect("north")
    assert {RunOffer, Start} <= {type(m) for m in again.drain("north")}


# A full disk


@pytest.fixture
def full(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Let every write fail, or no longer."""
    def switch(is_full: bool) -> None:
        def fails(*args: object, **named: object) -> None:
            raise FULL

        for name in ("save", "save_result", "add_event", "add_statement", "add_study", "add_run"):
            if is_full:
                monkeypatch.setattr(Store, name, fails)
            else:
                monkeypatch.undo()

    return switch


def test_what_a_full_disk_refused_has_not_happened(house: House, full: Callable[[bool], None]) -> None:
    house.connect(*NODES)
    study = house.running()
    house.join(study, "north"), house.join(study, "south")
    full(True)
    run = house.hub.runs[RUN]
    assert house.refused(lambda: house.join(study, "west")).code == "storage.full"
    assert house.refused(lambda: run.abort(RefusedError("run.cancelled", "no"))).code == "storage.full"
    assert (run.facts.state, run.exchanges) == (RunState.PROPOSED, None)
    assert not any(isinstance(m, Start | RunEnded) for name in NODES for m in house.drain(name))
    full(False)
    run.tick()  # everyone had joined: it starts without their saying so again
    assert house.hub.store.run(RUN)[0] == run.facts
    assert run.facts.state is RunState.RUNNING
    assert all(any(isinstance(m, Start) for m in house.drain(name)) for name in NODES)


async def test_time_goes_on_while_the_disk_is_full(house: House, full: Callable[[bool], None],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.001)
    monkeypatch.setattr(module, "REGISTRY_SECONDS", 0.0)
    full(True)
    ticks: list[bool] = []
    enough = asyncio.Event()

    class Run:
        facts = RunFacts("r-" + "a" * 16, "0" * 64, RunState.RUNNING)

        def __init__(self, fails: bool) -> None:
            self.fails = fails

        def tick(self) -> None:
            ticks.append(self.fails)
            if len(ticks) == 10:
                enough.set()
            if self.fails:
                raise FULL

    house.hub.runs.update({"a": Run(True), "b": Run(False)})  # type: ignore[dict-item]
    keeping = asyncio.create_task(house.hub.keep_time())
    await asyncio.wait_for(enough.wait(), 5)
    assert not keeping.done()
    assert ticks[:4] == [True, False, True, False]
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


def test_only_runs_that_ended_long_ago_are_let_go(house: House) -> None:
    class Run:
        def __init__(self, state: RunState, ended: float) -> None:
            self.facts = RunFacts("r-" + "a" * 16, "0" * 64, state)
            self.ended = ended

    now = time.monotonic()
    old, new, going = Run(RunState.ABORTED, now - 3600), Run(RunState.COMPLETED, now), Run(RunState.RUNNING, 0.0)
    house.hub.runs.update({"old": old, "new": new, "going": going})  # type: ignore[dict-item]
    house.hub._forget()
    assert set(house.hub.runs) == {"new", "going"}


def test_a_stream_that_ends_is_forgotten_also_then(house: House, full: Callable[[bool], None]) -> None:
    connection, = house.connect("north")
    full(True)
    house.hub.disconnect(connection)
    assert house.hub.connections == {}
