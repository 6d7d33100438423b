"""The ledger on disk: a chain that is only ever added to, and that threads and processes share."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
import rfc8785
from expected_error import raises

from sealane.core.clock import ManualClock
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.node.database import snapshot
from sealane.node.ledger import NodeLedger
from sealane.privacy.acts import Request
from sealane.privacy.ledger import State, make_cap
from sealane.privacy.mechanism import Concentrated, Price

DELTA = Decimal("1e-6")
HALF = Price(Concentrated(1 / (4 * Decimal("4.530877117") ** 2)))  # two cost epsilon 1: see test_ledger of privacy
ALICE = ("alice", "a" * 51 + "q")


def request(run: str, price: Price | None = HALF) -> Request:
    return Request(run, "loans", "ab" * 32, "cd" * 32, (ALICE,), "test.count", price)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path, clock: ManualClock) -> Iterator[NodeLedger]:
    with closing(NodeLedger(path, clock)) as opened:
        opened.put_cap(make_cap("loans", "dataset", "", "", Decimal("1.0001"), DELTA, None))
        yield opened


def raw_hash(previous: bytes, body: bytes) -> bytes:
    """The chain as docs/privacy.md describes it, written anew."""
    return sha256(len(previous).to_bytes(8, "big") + previous + len(body).to_bytes(8, "big") + body).digest()


def test_the_chain_is_as_documented(ledger: NodeLedger, path: Path) -> None:
    ledger.reserve(request("r1"))
    ledger.commit("r1", 0)
    ledger.void("r1")
    link = sha256(len(b"sealane ledger v1").to_bytes(8, "big") + b"sealane ledger v1").digest()
    assert (ledger.head_at(0).number, ledger.head_at(0).hash) == (0, link.hex())
    acts = []
    with closing(sqlite3.connect(path)) as db:
        for number, body, stored in db.execute("SELECT number, body, hash FROM lines ORDER BY number"):
            link = raw_hash(link, body)
            assert stored == link
            content = json.loads(body)
            assert rfc8785.dumps(content) == body
            assert content["number"] == number
            acts.append(content["act"])
    assert acts == ["cap", "reserve", "commit", "void"]
    assert (ledger.head().number, ledger.head().hash) == (4, link.hex())
    assert ledger.head_at(4) == ledger.head()
    assert ledger.head_at(5) is None


def test_what_is_said_twice_adds_no_line(ledger: NodeLedger) -> None:
    for _ in range(3):
        ledger.reserve(request("r1"))
        ledger.commit("r1", 0)
    ledger.void("r0")
    assert ledger.head().number == 3
    with ledger.reading() as book:
        assert book.entries["r1"].charged == 1


def test_it_is_there_after_a_restart_and_for_nobody_else(ledger: NodeLedger, path: Path, clock: ManualClock) -> None:
    ledger.reserve(request("r1"))
    ledger.commit("r1", 0)
    ledger.reserve(request("r2"))
    head = ledger.head()
    ledger.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(NodeLedger(path, clock)) as again:
        assert again.head() == head
        with raises("ledger.cap-exceeded", RefusedError):
            again.reserve(request("r3"))
        again.commit("r2", 0)


@pytest.mark.parametrize("spoil", [
    "UPDATE lines SET body = CAST(replace(CAST(body AS TEXT), '1.0001', '9.0001') AS BLOB) WHERE number = 1",
    "UPDATE lines SET hash = x'00' WHERE number = 3", "DELETE FROM lines WHERE number = 2",
    "INSERT INTO lines SELECT number + 2, body, hash FROM lines WHERE number = 3",
])
def test_a_ledger_that_was_changed_is_not_used(ledger: NodeLedger, path: Path, clock: ManualClock, spoil: str) -> None:
    ledger.reserve(request("r1"))
    ledger.commit("r1", 0)
    ledger.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if not spoil.startswith("INSERT"):
            with pytest.raises(sqlite3.IntegrityError):  # SQLite itself keeps lines
                db.execute(spoil)
        db.execute("DROP TRIGGER lines_are_kept")
        db.execute("DROP TRIGGER lines_stay_as_they_are")
        db.execute(spoil)
    with closing(NodeLedger(path, clock)) as again, raises("ledger.chain-broken", ProtocolError):
        again.head()


def test_two_runs_in_two_threads_do_not_pass_a_cap_together(path: Path, clock: ManualClock) -> None:
    # Each through a connection of its own, as two processes would, and all at once.
    ledgers = [NodeLedger(path, clock) for _ in range(8)]
    ledgers[0].put_cap(make_cap("loans", "dataset", "", "", Decimal("1.0001"), DELTA, None))
    barrier, passed, refused = threading.Barrier(len(ledgers)), [], []

    def work(number: int) -> None:
        barrier.wait()
        try:
            ledgers[number].reserve(request(f"r{number}"))
            ledgers[number].commit(f"r{number}", 0)
            passed.append(number)
        except RefusedError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(ledgers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), refused) == (2, ["ledger.cap-exceeded"] * 6)
    assert {one.head() for one in ledgers} == {ledgers[0].head()}
    for one in ledgers:
        one.close()


def test_one_instance_serves_many_threads(ledger: NodeLedger) -> None:
    outcomes: list[str] = []

    def work(number: int) -> None:
        try:
            ledger.reserve(request(f"r{number}"))
            outcomes.append("passed")
        except RefusedError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ledger.cap-exceeded"] * 4 + ["passed"] * 2


def test_a_clock_set_back_changes_nothing(ledger: NodeLedger, clock: ManualClock) -> None:
    ledger.reserve(request("r1"))
    clock.advance(timedelta(days=-4000))
    ledger.commit("r1", 0)
    ledger.reserve(request("r2"))
    with raises("ledger.cap-exceeded", RefusedError):
        ledger.reserve(request("r3"))
    assert [line.number for line in ledger.lines()] == [1, 2, 3, 4]
    with ledger.reading() as book:
        assert [entry.state for entry in book.entries.values()] == [State.COMMITTED, State.RESERVED]


def test_a_restored_copy_falls_short_of_its_old_head(ledger: NodeLedger, path: Path, tmp_path: Path,
                                                     clock: ManualClock) -> None:
    ledger.reserve(request("r1"))
    (tmp_path / "copy.sqlite").write_bytes(snapshot(path))
    ledger.commit("r1", 0)
    told = ledger.head()
    with closing(NodeLedger(tmp_path / "copy.sqlite", clock)) as restored:
        assert restored.head_at(told.number) is None  # which is how a witness notices
        assert restored.head() == ledger.head_at(told.number - 1)
        restored.void("r1")
        assert restored.head().number == told.number
        assert restored.head_at(told.number) != told


def test_a_file_that_is_no_database_is_said(path: Path, clock: ManualClock) -> None:
    path.write_bytes(b"not a database, whatever it is called" * 100)
    with closing(NodeLedger(path, clock)) as ledger, raises("database.unreadable", InputError):
        ledger.head()


def test_what_a_run_was_charged_is_told_in_epsilon(ledger: NodeLedger) -> None:
    """Two sums of this noise cost epsilon 1 at delta 1e-6, by dp-accounting's published figure (see above)."""
    two = Price(HALF.mechanism, sums=2)
    ledger.reserve(request("r1", two))
    assert ledger.charged("r1", "1e-6") is None  # reserved is not charged
    ledger.commit("r1", 0)
    ledger.commit("r1", 1)
    told = ledger.charged("r1", "1e-6")
    assert told is not None
    assert Decimal("0.9999") < Decimal(told) <= Decimal("1.0001")
    assert ledger.charged("r1", None) is None
    assert ledger.charged("unknown", "1e-6") is None
    ledger.reserve(request("r2", None))
    ledger.commit("r2", 0)
    assert ledger.charged("r2", "1e-6") is None


def test_another_name_for_the_same_version_is_under_the_same_caps(ledger: NodeLedger) -> None:
    ledger.put_cap(make_cap("loans", "dataset", "", "", Decimal("1.0001"), DELTA, 1))
    ledger.reserve(request("r1", None))
    ledger.commit("r1", 0)
    other = Request("r2", "loans2", "ab" * 32, "cd" * 32, (ALICE,), "test.count", None)
    with raises("ledger.releases-exhausted", RefusedError):
        ledger.reserve(other)
    newer = Request("r3", "loans2", "ef" * 32, "cd" * 32, (ALICE,), "test.count", None)
    ledger.reserve(newer)  # another version's rows are others


def test_the_runs_that_a_study_was_charged_for(ledger: NodeLedger) -> None:
    ledger.reserve(request("r1"))
    assert ledger.runs("cd" * 32) == frozenset()
    ledger.commit("r1", 0)
    assert ledger.runs("cd" * 32) == {"r1"}
    assert ledger.runs("00" * 32) == frozenset()
