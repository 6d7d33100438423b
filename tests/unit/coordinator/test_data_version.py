"""What is remembered of a database is let go of as soon as anybody commits to it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from sealane.coordinator.data_version import DataVersion
from sealane.coordinator.database import open_database, reading, writing
from sealane.coordinator.registry import Registry
from sealane.core.clock import ManualClock
from sealane.rpc.certificates import Certificate


def change(engine: Engine) -> None:
    with writing(engine) as db:
        db.exec_driver_sql("CREATE TABLE IF NOT EXISTS made (x)")
        db.exec_driver_sql("INSERT INTO made VALUES (1)")


def test_it_changes_with_every_commit_and_with_nothing_else(engine: Engine) -> None:
    version = DataVersion(engine)
    seen = version.read()
    assert seen is not None
    with reading(engine) as db:
        db.exec_driver_sql("SELECT 1").all()
    assert version.read() == seen
    found = [seen]
    for _ in range(3):
        change(engine)
        found.append(version.read())
    with suppress(ZeroDivisionError), writing(engine) as db:
        db.exec_driver_sql("INSERT INTO made VALUES (2)")
        found.append((0, 1 // 0))  # undoes it
    assert version.read() == found[-1]
    assert len(set(found)) == 4


def test_another_process_changes_it_too(engine: Engine, tmp_path: Path) -> None:
    change(engine)
    version = DataVersion(engine)
    seen = version.read()
    script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute('INSERT INTO made VALUES (3)')"
    subprocess.run([sys.executable, "-c", script, tmp_path / "coordinator.sqlite"], check=True)
    assert version.read() not in (None, seen)


def test_it_ends_with_its_engine_and_begins_anew_with_another_version(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "coordinator.sqlite")
    version = DataVersion(engine)
    seen = version.read()
    engine.dispose()
    assert not list(tmp_path.glob("*-wal"))  # the last connection took it away
    assert version.read() not in (None, seen)
    engine.dispose()


def test_a_holder_is_read_once_until_somebody_removes_the_party(tmp_path: Path, clock: ManualClock) -> None:
    engine, operators = (open_database(tmp_path / "coordinator.sqlite") for _ in range(2))
    registry, console = Registry(engine, clock), Registry(operators, clock)
    shown = Certificate("north", "node", "aa", "aa" * 8, clock() - timedelta(1), clock() + timedelta(1))
    with writing(operators) as db:
        party = console.add(db, name="north", role="node", signing_key=b"k" * 32, sealing_key=bytes(32),
                            certificate=shown)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert [registry.holder(shown) for _ in range(5)] == [party] * 5
    assert len([one for one in asked if "certificates" in one]) == 1
    console.quarantine("north")
    assert [one.status for one in [registry.holder(shown)] if one is not None] == ["quarantined"]
    console.reinstate("north")
    assert registry.holder(shown) == party
    console.remove("north")
    assert registry.holder(shown) is None
    engine.dispose()
    operators.dispose()


def test_holders_in_memory_are_bounded(
    engine: Engine, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealane.coordinator.registry.MOST_REMEMBERED", 3)
    registry = Registry(engine, clock)
    for serial in range(10):
        shown = Certificate("north", "node", f"{serial:x}", "aa" * 8, clock() - timedelta(1), clock() + timedelta(1))
        assert registry.holder(shown) is None
        assert len(registry._holders[1]) <= 3
