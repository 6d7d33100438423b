"""Of a run that ended no key is left in any file of the node's home, whoever has its run database open."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from journals import OTHER, RUN, STUDY

from sealane.core.secret import Secret
from sealane.node.journal import Journal

GOES_ON = "r-bbbbbbbbbbbbbbbb"
EXCHANGES = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.sqlite"


@pytest.fixture
def serving(path: Path) -> Iterator[Journal]:
    """Another run's journal, which keeps the write-ahead log from being removed."""
    with closing(Journal(path)) as journal:
        journal.join(GOES_ON, OTHER, Secret(secret("going on", 0)))
        yield journal


def secret(kind: str, number: int) -> bytes:
    return f"{kind} {number}".encode().ljust(32, b"\xa5")


def kept(journal: Journal, run: str = RUN) -> list[bytes]:
    """Run through two attempts, and return all the keys that were kept for them."""
    made = [secret("agreement", 0)]
    journal.join(run, STUDY, Secret(made[0]))
    for attempt in range(2):
        journal.begin_attempt(run, attempt, b"start")
        introduced, acquainted = secret("introduced", attempt), secret("acquainted", attempt)
        journal.introduce(run, attempt, Secret(introduced))
        journal.acquainted(run, attempt, Secret(acquainted))
        made += [introduced, acquainted]
    for number in range(EXCHANGES):
        seed, share = secret("seed", number), secret("share", number)
        first = number < EXCHANGES // 2  # those that follow open on arrival
        journal.contributed(run, 1, number, b"h" * 32, Secret(seed), b"payload" * 100, on_arrival=not first)
        if first:
            journal.released(run, 1, number, b"d" * 32, Secret(share), whole_cohort=number % 2 == 0)
            journal.opened(run, 1, number, b"d" * 32, b"total")
            made.append(share)
        made.append(seed)
    return made


def found(home: Path, keys: list[bytes]) -> dict[str, int]:
    """How many keys are in which file."""
    files = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    return {file.name: sum(key in data for key in keys) for file, data in files.items()
            if any(key in data for key in keys)}


def test_nothing_is_left_while_another_run_goes_on(path: Path, serving: Journal) -> None:
    with closing(Journal(path)) as journal:
        keys = kept(journal)
        assert found(path.parent, keys)["runs.sqlite-wal"] > EXCHANGES  # they would be seen where they are
        journal.end(RUN)
        assert found(path.parent, keys) == {}
        assert found(path.parent, [secret("going on", 0)]) != {}
        row = journal.run(RUN)
        assert row is not None
        assert row.ended
    assert [run.run_id for run in serving.active()] == [GOES_ON]


def test_a_reader_holds_up_no_end_and_what_it_kept_goes_when_it_went(path: Path, serving: Journal) -> None:
    journal = Journal(path)
    keys = kept(journal)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchall()
        began = time.monotonic()
        journal.end(RUN)
        assert time.monotonic() - began < 5  # and not the ten seconds that a write waits
        assert found(path.parent, keys) != {}
    journal.close()
    assert found(path.parent, keys) == {}
    serving.begin_attempt(GOES_ON, 0, b"start")


@pytest.mark.parametrize("then", ["another run ends", "the node starts"])
def test_what_a_reader_kept_longer_goes_later(path: Path, serving: Journal, then: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        journal = Journal(path)
        keys = kept(journal)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM runs").fetchall()
        journal.end(RUN)
        journal.close()
        assert found(path.parent, keys) != {}
        reader.execute("COMMIT")
        with closing(Journal(path)) as later:
            if then == "another run ends":
                later.end(GOES_ON)
            else:
                later.sweep()
            assert found(path.parent, keys) == {}
