"""What a run uses is counted, kept across a crash, and recorded once however often the end is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from house import KEYS, House, make_house
from sqlalchemy import Engine
from stage import RUN, Probe, Stage

from sealane.coordinator.database import open_database
from sealane.core.clock import ManualClock
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import RefusedError, UnavailableError
from sealane.governance.metering import MeteredRun
from sealane.node import aftermath, run
from sealane.node.home import NodeHome
from sealane.node.journal import Journal
from sealane.node.ledger import NodeLedger
from sealane.node.meters import meters
from sealane.node.register import Register
from sealane.rpc.codec import encode_from_node
from sealane.rpc.notices import RunEnded
from sealane.secagg.messages import Endorsed, Endorsement, Join
from sealane.simulation import parties

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[MeteredRun]:
    """Every event that a node on stage records."""
    events: list[MeteredRun] = []
    monkeypatch.setattr(parties, "NodeRun", partial(run.NodeRun, metered=events.append))
    return events


async def play(on: Stage, restart: str = "") -> Endorsed:
    await on.offer()
    await on.begin()
    for exchange in (0, 2):
        await on.announce(exchange)
        if restart and exchange == 2:
            await on.restart(restart)
            await on.tell(restart, on.start())
            await on.announce(exchange, to=[restart], who=ALL)
        await on.relay(exchange)
        await on.agree(exchange + 1)
    return Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})


async def test_a_completed_run(stage: Build, probe: Probe, recorded: list[MeteredRun]) -> None:
    on = stage(study_fields={"minimum_count": 5})
    endorsed = await play(on)
    for name in ALL:
        await on.tell(name, endorsed)
        await on.tell(name, RunEnded(RUN))
    assert [event.node for event in recorded] == list(ALL)
    for event in recorded:
        rows = len(on.frames[event.node])
        assert (event.run, event.study, event.outcome, event.rounds) == (RUN, on.study.hash, "completed", 4)
        assert event.rows == rows // 5 * 5
        assert event.bytes_sent == sum(encode_from_node(m).ByteSize() for m in on.said[event.node])
        assert event.fingerprint == on.fingerprint(event.node)
        assert event.cpu_us > 0
        assert event.wall_us > 0


async def test_a_crash_is_counted_through(stage: Build, probe: Probe, recorded: list[MeteredRun]) -> None:
    on = stage()
    endorsed = await play(on, restart="b")
    await on.tell("b", endorsed)
    await on.tell("b", RunEnded(RUN))
    event, = recorded
    assert (event.rounds, event.outcome) == (4, "completed")
    first_life = encode_from_node(on.heard("b", Join)).ByteSize()
    assert event.bytes_sent > first_life
    # Repetitions count, and what a crash took of the last moment does not.
    assert event.bytes_sent <= sum(encode_from_node(m).ByteSize() for m in on.said["b"])


@pytest.mark.parametrize(("error", "outcome"), [
    (RefusedError("run.cancelled", "no"), "run.cancelled"), (None, "run.left-out")])
async def test_a_run_that_gave_no_result_here(
    stage: Build, probe: Probe, recorded: list[MeteredRun], error: RefusedError | None, outcome: str
) -> None:
    on = stage()
    await on.offer()
    await on.begin()
    await on.tell("c", RunEnded(RUN, error))
    assert [(event.node, event.outcome, event.rounds) for event in recorded] == [("c", outcome, 0)]


async def test_a_run_whose_event_cannot_be_kept_has_not_ended(
    stage: Build, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(event: MeteredRun) -> None:
        raise UnavailableError("disk.full", "the disk is full")

    monkeypatch.setattr(parties, "NodeRun", partial(run.NodeRun, metered=full))
    on = stage()
    await on.offer()
    await on.tell("a", RunEnded(RUN))
    row = on.nodes["a"].journal.run(RUN)
    assert row is not None
    assert not row.ended


# A node that was away when its run ended


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> House:
    engine: Engine = open_database(tmp_path / "coordinator.sqlite")
    return make_house(engine, clock)


@pytest.fixture
def home(tmp_path: Path, clock: ManualClock) -> NodeHome:
    key = KEYS["north"]
    made: Any = SimpleNamespace(
        path=tmp_path, runs_path=tmp_path / "runs.sqlite", clock=clock,
        register=Register(tmp_path / "node.sqlite", key.fingerprint, clock), ledger=NodeLedger(":memory:", clock),
        identity=lambda: SimpleNamespace(name="north", signing_key=key, fingerprint=key.fingerprint))
    return cast("NodeHome", made)


def events(home: NodeHome) -> list[MeteredRun]:
    with meters(home.path / "node.sqlite") as kept:
        return kept.events()


def test_it_asks_is_told_meters_once_and_forgets_the_runs_key(house: House, home: NodeHome) -> None:
    study = house.running()
    home.register.record_study(study.canonical())
    journal = Journal(home.runs_path)
    journal.join(RUN, study.hash, Secret(b"s" * 32))
    assert aftermath.questions(home, [RUN]) == []  # it is carried here
    question, = aftermath.questions(home, [])
    house.connect("north")
    house.hub.runs[RUN].abort(RefusedError("run.cancelled", "the run was cancelled"))
    del house.hub.runs[RUN]  # let go of a while later: what is asked of it is on disk
    house.drain("north")
    house.hub.receive(house.parties["north"], question, 100)
    ended, = house.drain("north")
    assert isinstance(ended, RunEnded)
    aftermath.end(home, ended)
    aftermath.end(home, RunEnded(RUN))  # told again, and otherwise: nothing changes
    assert [(e.run, e.node, e.outcome) for e in events(home)] == [(RUN, "north", "run.cancelled")]
    row = journal.run(RUN)
    assert row is not None
    assert row.ended
    assert row.agreement_seed.reveal() == b""
    assert aftermath.questions(home, []) == []


def test_killed_between_the_event_and_the_end_it_counts_once(house: House, home: NodeHome) -> None:
    study = house.study()
    home.register.record_study(study.canonical())
    journal = Journal(home.runs_path)
    journal.join(RUN, study.hash, Secret(b"s" * 32))
    first = run.metered_run(journal, RUN, study, Fingerprint(KEYS["north"].fingerprint), None, home.clock(), None)
    aftermath.record(home, first)
    aftermath.end(home, RunEnded(RUN, RefusedError("run.cancelled", "x")))
    assert events(home) == [first]


def test_the_end_of_an_unknown_run_changes_nothing(home: NodeHome) -> None:
    aftermath.end(home, RunEnded(RUN))
    assert events(home) == []
