"""5. Privacy spent never exceeds the cap: killed at any step, with runs at once, with a clock set back; and whatever
left a node is charged."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from stage import OTHER_RUN, RUN, Federation, Stage, frames

from sealane.core.clock import ManualClock
from sealane.errors import SealaneError
from sealane.node import cohort, database
from sealane.node.ledger import NodeLedger
from sealane.privacy.acts import Request
from sealane.privacy.ledger import State, make_cap
from sealane.privacy.mechanism import Concentrated, Price
from sealane.rpc.notices import RunEnded
from sealane.secagg.messages import Contribution, Release
from sealane.simulation.engine import Engine
from sealane.simulation.faults import Fault
from sealane.simulation.parties import SimulatedNode

DELTA = Decimal("1e-6")
# dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6). Here k sums have k / 6 of its rho,
# and divergences add up: six fit under a cap of 1, and not one more.
SIXTH = Concentrated(1 / (12 * Decimal("4.530877117") ** 2))
CAP = Decimal("1.000001")
FIT = 6
TABLE = {"columns": ["x"], "bins": {"x": [-20.0, 0.0, 20.0]}, "epsilon": "1", "delta": "1e-6"}
ALL = ("a", "b", "c", "d")
THIRD_RUN = "r-cccccccccccccccc"


def request(run: str, sums: int = 1) -> Request:
    return Request(run, "loans", "ab" * 32, "cd" * 32, (), "test.count", Price(SIXTH, sums))


def allow(ledger: NodeLedger) -> NodeLedger:
    ledger.put_cap(make_cap("loans", "dataset", "", "", CAP, DELTA, None))
    return ledger


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have a function called before every statement that SQLite carries out."""
    connect = sqlite3.connect

    def trace(before: Callable[[], None]) -> None:
        def opened(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_trace_callback(lambda _: before())
            return connection

        monkeypatch.setattr(database.sqlite3, "connect", opened)

    return trace


def child(path: Path, pipe: int) -> None:
    """Four runs of two sixths each, and what helps to open each leaves through the pipe."""
    with closing(NodeLedger(path, ManualClock(datetime(2026, 6, 1, tzinfo=UTC)))) as ledger:
        allow(ledger)
        for run in "0123":
            try:
                ledger.reserve(request(run, 2))
                ledger.commit(run, 0)
                ledger.commit(run, 1)
                os.write(pipe, run.encode())
            except SealaneError:
                ledger.void(run)


def test_invariant_05_killed_before_any_statement(tmp_path: Path, traced: Callable[..., None]) -> None:
    with closing(allow(NodeLedger(":memory:", ManualClock(datetime(2026, 6, 1, tzinfo=UTC))))) as warm:
        warm.reserve(request("warm"))  # what a library loads when it is first used is loaded before the fork
    step, finished, partly = 0, False, set()
    while not finished:
        step += 1
        path = tmp_path / f"{step}.sqlite"
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:  # a real process, really killed
            left = [step]

            def count_down(left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                traced(count_down)
                child(path, writing)
                os._exit(0)
            except BaseException:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as sent:
            away = sent.read().decode()
        _, status = os.waitpid(process, 0)
        finished = os.WIFEXITED(status)
        assert finished or os.WTERMSIG(status) == signal.SIGKILL
        assert not finished or os.WEXITSTATUS(status) == 0
        with closing(allow(NodeLedger(path, ManualClock(datetime(2020, 1, 1, tzinfo=UTC))))) as again, \
                again.reading() as book:
            charged = {run for run, entry in book.entries.items() if entry.state is State.COMMITTED}
            assert all(book.entries[run].charged == 2 for run in away)
            assert len(charged) - len(away) in (0, 1)  # at most the one that was being charged
            assert sum(entry.held for entry in book.entries.values()) <= FIT
            assert book.spent("loans", DELTA).epsilon <= CAP
            partly.add(len(away))
    assert partly == set(range(FIT // 2 + 1))
    assert step > 50


RUNS = st.sampled_from("pqrst")
CRASHES = st.sampled_from([0] * 9 + [1, 2, 3, 4, 5, 6])
"""Before which statement of an act it crashes; 0: not at all."""


class CrashingLedger(RuleBasedStateMachine):
    """Any acts in any order, crashes between any two statements of one, and a clock that jumps about."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
        self.path = self.directory / "0.sqlite"
        self.copies = 0
        self.countdown = 0
        self.crashed: Path | None = None
        self.left: set[tuple[str, int]] = set()
        self.over: set[str] = set()
        self.open()
        allow(self.ledger).reserve(request("p", 2))

    def open(self) -> None:
        self.ledger = NodeLedger(self.path, self.clock)
        self.ledger.head()
        assert self.ledger._connection is not None
        self.ledger._connection.set_trace_callback(lambda _: self.statement())

    def statement(self) -> None:
        """What the files hold at this moment is what a kill would leave of them."""
        self.countdown -= 1
        if self.countdown == 0:
            self.copies += 1
            self.crashed = self.directory / f"{self.copies}.sqlite"
            for ending in ("", "-wal"):
                if Path(f"{self.path}{ending}").exists():
                    shutil.copy(f"{self.path}{ending}", f"{self.crashed}{ending}")

    def known(self) -> list[str]:
        with self.ledger.reading() as book:
            return sorted(run for run in book.entries if run not in self.over)

    def perform(self, act: Callable[[], None], crash: int) -> bool:
        """Do something; return whether the caller lives to see it done."""
        self.countdown, self.crashed = crash, None
        refused = False
        try:
            act()
        except SealaneError:
            refused = True
        self.countdown = 0
        if self.crashed is None:
            return not refused
        self.ledger.close()
        self.path = self.crashed
        self.open()
        return False

    @rule(run=RUNS, sums=st.integers(1, 3), crash=CRASHES)
    def reserve(self, run: str, sums: int, crash: int) -> None:
        self.perform(lambda: self.ledger.reserve(request(run, sums)), crash)

    @rule(exchange=st.integers(0, 3), crash=CRASHES)
    def commit_of_nothing(self, exchange: int, crash: int) -> None:
        assert not self.perform(lambda: self.ledger.commit("never reserved", exchange), crash)

    @precondition(lambda self: self.known())
    @rule(data=st.data(), exchange=st.integers(0, 3), crash=CRASHES)
    def commit_and_let_go(self, data: st.DataObject, exchange: int, crash: int) -> None:
        run = data.draw(st.sampled_from(self.known()))
        if self.perform(lambda: self.ledger.commit(run, exchange), crash):
            self.left.add((run, exchange))

    @precondition(lambda self: self.known())
    @rule(data=st.data(), crash=CRASHES)
    def end(self, data: st.DataObject, crash: int) -> None:
        run = data.draw(st.sampled_from(self.known()))
        if self.perform(lambda: self.ledger.void(run), crash):
            self.over.add(run)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.open()

    @rule(days=st.integers(-3000, 3000))
    def set_the_clock(self, days: int) -> None:
        self.clock.now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=days)

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def let_go_again(self, data: st.DataObject) -> None:
        run, exchange = data.draw(st.sampled_from(sorted(self.left)))
        before = self.ledger.head()
        self.ledger.commit(run, exchange)
        assert self.ledger.head() == before

    @invariant()
    def what_left_is_charged_and_all_of_it_fits(self) -> None:
        with self.ledger.reading() as book:
            charged = {(run, exchange) for run, entry in book.entries.items() for exchange in entry.committed}
            assert self.left <= charged
            held = sum(entry.held for entry in book.entries.values())
            assert len(charged) <= held <= FIT
            assert all(entry.held >= entry.charged for entry in book.entries.values())

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.directory)


TestCrashingLedger = CrashingLedger.TestCase
TestCrashingLedger.settings = settings(max_examples=60, stateful_step_count=40, deadline=None,
                                       suppress_health_check=[HealthCheck.too_slow])


def entry_of(node: SimulatedNode, run: str | None = None) -> Any:
    with node.ledger.reading() as book:
        return book.entries[run] if run is not None else next(iter(book.entries.values()))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Look into the ledger of whoever sends, at the moment of sending: nothing that helps to open leaves uncharged."""
    send, helped = Engine.to_coordinator, []

    def to_coordinator(self: Engine, node: SimulatedNode, message: Any) -> None:
        helps = isinstance(message, Contribution if self.study.scheme == "rlwe" else Release)
        if helps:
            assert message.exchange in entry_of(node, message.run_id).committed
            helped.append(node.name)
        elif isinstance(message, Contribution) and node.name not in helped:
            assert entry_of(node, message.run_id).state is State.RESERVED
        send(self, node, message)

    monkeypatch.setattr(Engine, "to_coordinator", to_coordinator)
    yield helped
    assert helped


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
@pytest.mark.parametrize("kind", ["Start", "Contribution", "Arrival", "Release", "Opening", "Endorsement"])
def test_invariant_05_a_run_is_charged_once_whoever_is_killed_when(
    scheme: str, kind: str, federation: Callable[..., Federation], watched: list[str]
) -> None:
    fed = federation(frames(rows=40))
    faults = [Fault("crash", node=name, message=kind, seconds=0.02) for name in ("north", "west")]
    for number in (1, 2):
        fed.run(*(faults if number == 1 else []), computation="statistics.table", scheme=scheme, **TABLE)
        for node in fed.nodes.values():
            with node.ledger.reading() as book:
                assert [entry.charged for entry in book.entries.values()] == [1] * number  # run again: charged again
                assert all(entry.over for entry in book.entries.values())
    assert set(watched) == set(fed.nodes)


@pytest.mark.parametrize(("scheme", "state"), [("masking", State.VOIDED), ("rlwe", State.COMMITTED)])
async def test_invariant_05_what_passed_the_point_of_no_return_stays_charged(
    scheme: str, state: State, stage: Callable[..., Stage]
) -> None:
    on = stage(ALL, {"computation": "statistics.table", "parameters": TABLE, "scheme": scheme})
    await on.offer()
    await on.begin()
    for name in ALL:
        on.heard(name, Contribution, 0)
        await on.tell(name, RunEnded(RUN))
        assert (entry_of(on.nodes[name]).state, entry_of(on.nodes[name]).over) == (state, True)


async def test_invariant_05_two_runs_at_once_share_one_cap(stage: Callable[..., Stage]) -> None:
    on = stage(ALL, {"computation": "statistics.table", "parameters": TABLE})
    for node in on.nodes.values():
        node.ledger.put_cap(make_cap("frame", "dataset", "", "", Decimal(1), DELTA, None))
    await on.offer()
    await on.begin()
    on.clock.advance(timedelta(hours=-12))
    await on.offer(OTHER_RUN)  # which takes the place of the first in a simulated node, and not in its ledger
    await on.begin(run_id=OTHER_RUN)
    assert {on.refusal(name) for name in ALL} == {"ledger.cap-exceeded"}
    assert [entry_of(on.nodes[name]).request.run for name in ALL] == [RUN] * 4


async def test_invariant_05_runs_of_one_study_share_the_cap_of_its_agreement(stage: Callable[..., Stage]) -> None:
    """One run costs at most 1, two by any accountant more than 1.3; the datasets themselves have a million left."""
    on = stage(ALL, {"computation": "statistics.table", "parameters": TABLE, "scheme": "rlwe",
                     "epsilon": "1", "delta": "1e-6"})
    on.record = on.approve(on.study, epsilon="1.3")
    await on.offer()
    await on.begin()
    for name in ALL:
        on.heard(name, Contribution, 0)
        await on.tell(name, RunEnded(RUN))
    on.clock.advance(timedelta(hours=-12))
    await on.offer(OTHER_RUN)
    await on.begin(run_id=OTHER_RUN)
    assert {on.refusal(name) for name in ALL} == {"ledger.cap-exceeded"}
    assert not [m for name in ALL for m in on.said[name] if isinstance(m, Contribution) and m.run_id == OTHER_RUN]
    for name in ALL:
        (moment, clause, error), = on.nodes[name].records.refusals
        assert (moment, clause) == ("reservation", "privacy budget")
        assert f"for study stage ({on.study.hash[:12]})" in error.message
    unbound = on.approve(on.make_study(name="another"))  # a study of its own has a cap of its own, or none
    await on.offer(THIRD_RUN, record=unbound)
    await on.begin(run_id=THIRD_RUN)
    assert all(on.heard(name, Contribution, 0, run_id=THIRD_RUN) for name in ALL)


async def test_invariant_05_noise_is_the_same_in_every_attempt_and_another_in_every_run(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bytes] = []
    encode = cohort.encode

    def kept(*arguments: Any) -> Any:
        vector = encode(*arguments)
        drawn.append(vector.tobytes())
        return vector

    monkeypatch.setattr(cohort, "encode", kept)
    on = stage(ALL, {"computation": "statistics.table", "parameters": TABLE | {"epsilon": "0.1"}})
    await on.offer()
    await on.begin(("a", "b", "c"))  # who is in the cohort must not matter, or a coordinator could average noise away
    await on.begin(ALL, attempt=1)
    assert len(drawn) == 7
    assert drawn[:3] == drawn[3:6]
    await on.restart("a")  # sends what it kept, draws nothing
    await on.begin(("a", "b", "d"), attempt=2)
    assert drawn[7:] == [drawn[3], drawn[4], drawn[6]]
    assert all(entry_of(on.nodes[name]).held == 1 for name in ALL)
    drawn.clear()
    for name in ALL:
        await on.tell(name, RunEnded(RUN))
        await on.nodes[name].crash()
        on.nodes[name].up = True
    await on.offer(OTHER_RUN)
    await on.begin(ALL, run_id=OTHER_RUN)
    assert len(drawn) == 4
    assert all(len(on.nodes[name].ledger.lines()) == 4 for name in ALL)  # a cap, two reservations, one given back
    first = on.heard("a", Contribution, 0, 1, RUN)
    assert first.payload != on.heard("a", Contribution, 0, 0, OTHER_RUN).payload
