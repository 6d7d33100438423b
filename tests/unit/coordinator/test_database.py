from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from sealane.coordinator import database
from sealane.coordinator.database import certificates, invitations, open_database, reading, writing
from sealane.errors import InputError, RefusedError, UnavailableError

ROW = {"token_hash": "a" * 64, "name": "north", "role": "node", "created_at": "2026-01-01T00:00:00Z",
       "expires_at": "2026-01-02T00:00:00Z"}


def test_it_is_durable_and_its_owners_alone(engine: Engine, tmp_path: Path) -> None:
    with reading(engine) as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                   for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}  # 2 is FULL
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_exception_rolls_back(engine: Engine) -> None:
    def fail() -> None:
        with writing(engine) as connection:
            connection.execute(insert(invitations).values(ROW))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with reading(engine) as connection:
        assert connection.execute(select(invitations)).all() == []


def test_a_writer_holds_off_the_next_one_from_its_first_read(engine: Engine) -> None:
    """Two check-then-write transactions cannot both find a token unspent."""
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait(5)
        with writing(engine) as connection:
            order.append("second")
            assert len(connection.execute(select(invitations)).all()) == 1

    thread = threading.Thread(target=second)
    thread.start()
    with writing(engine) as connection:
        assert connection.execute(select(invitations)).all() == []
        inside.set()
        thread.join(0.2)
        order.append("first")
        connection.execute(insert(invitations).values(ROW))
    thread.join(5)
    assert order == ["first", "second"]


def test_readers_go_on_while_one_writes(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(insert(invitations).values(ROW))
        with reading(engine) as other:
            assert other.execute(select(invitations)).all() == []


def test_rules_of_the_schema_reach_the_caller(engine: Engine) -> None:
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(certificates).values(serial="1", party="nobody", certificate_hash="", not_after=""))


def test_a_locked_database_is_typed(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 10)
    impatient = open_database(tmp_path / "coordinator.sqlite")
    holder = sqlite3.connect(tmp_path / "coordinator.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError) as caught, writing(impatient):
        pass
    assert caught.value.code == "storage.locked"
    holder.close()
    impatient.dispose()


def test_a_full_disk_is_typed_and_writes_nothing(engine: Engine) -> None:
    with reading(engine) as connection:  # SQLite's own way to play a full disk
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def fill() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            connection.execute(insert(invitations).values({**ROW, "certificate": b"x" * 100_000}))

    with pytest.raises(UnavailableError) as caught:
        fill()
    assert caught.value.code == "storage.full"
    assert "coordinator" in caught.value.message  # whoever is told of it looks at the right disk
    with reading(engine) as connection:
        assert connection.execute(select(invitations)).all() == []


def test_a_file_that_is_no_database_is_typed(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(UnavailableError) as caught:
        open_database(tmp_path / "x.sqlite")
    assert caught.value.code == "storage.failed"
    with pytest.raises(UnavailableError, match=r"storage.failed"):
        open_database(tmp_path / "none" / "x.sqlite")


def test_another_versions_database_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    engine.dispose()
    with sqlite3.connect(tmp_path / "coordinator.sqlite") as raw:
        raw.execute("PRAGMA user_version=99")
    with pytest.raises(RefusedError) as caught:
        open_database(tmp_path / "coordinator.sqlite")
    assert caught.value.code == "storage.version"


@pytest.mark.parametrize("url", ["nonsense://x", "://", "postgresql://ann@host/x"])
def test_a_url_that_cannot_be_used_is_not_quoted(url: str) -> None:
    with pytest.raises(InputError) as caught:
        open_database(url)
    assert caught.value.code == "storage.url"
