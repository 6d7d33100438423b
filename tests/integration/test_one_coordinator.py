"""One process serves a coordinator's home, and one its database, however it ends."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_line import run_alone, run_well, serving
from postgresql_server import PASSWORD, Server, postgresql_server
from sqlalchemy import text

from sealane.cli.local_federation import free_ports
from sealane.coordinator import database_lock
from sealane.coordinator.database import open_database
from sealane.coordinator.database_lock import held
from sealane.errors import RefusedError

pytestmark = pytest.mark.integration


def make(home: Path, *options: object) -> Path:
    main, enrolment = free_ports(2)
    run_well("coordinator", "init", "--home", home, "--listen", main, "--enrolment", enrolment, *options)
    return home


def second(home: Path) -> str:
    done = run_alone("coordinator", "serve", "--home", home, "--json")
    assert done.code == 3, done
    code: str = done.error["code"]
    return code


def test_one_process_serves_a_home_though_the_ports_differ(tmp_path: Path) -> None:
    home = make(tmp_path / "c")
    first = (home / "settings.toml").read_text()
    other = (make(tmp_path / "d") / "settings.toml").read_text()
    with serving("coordinator", home, end=signal.SIGKILL, code=-9):
        (home / "settings.toml").write_text(other)
        assert second(home) == "home.in-use"
        assert run_well("coordinator", "invite", "north", "--home", home)["name"] == "north"
    (home / "settings.toml").write_text(first)
    with serving("coordinator", home):
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgresql_server() as started:
        yield started


@pytest.fixture
def url(server: Server) -> str:
    return f"postgresql+psycopg://steward:{PASSWORD}@127.0.0.1:{server.port}/postgres"


def test_one_coordinator_serves_a_database_until_it_is_killed(tmp_path: Path, url: str) -> None:
    one, two = (make(tmp_path / name, "--database", url) for name in "ab")
    with serving("coordinator", one, end=signal.SIGKILL, code=-9):
        assert second(two) == "home.in-use"
    with serving("coordinator", two):
        assert second(one) == "home.in-use"
    with serving("coordinator", one):
        pass


def end_sessions(server: Server) -> None:
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")


async def test_a_lock_that_the_server_lost_is_taken_again(
    server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_lock, "LOOK_SECONDS", 0.02)
    engine, watching = open_database(url), open_database(url)
    async with held(engine):
        end_sessions(server)
        deadline = time.monotonic() + 20
        found = 0
        while not found and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            with watching.connect() as connection:
                found = connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                                                "AND granted")).scalar_one()
        assert found == 1
    async with held(watching):
        pass
    engine.dispose()
    watching.dispose()


async def test_serving_ends_where_another_took_the_lock_meanwhile(
    server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, usurper = open_database(url), open_database(url)
    monkeypatch.setattr(database_lock, "LOOK_SECONDS", 0.5)

    async def serve() -> None:
        async with held(engine):
            end_sessions(server)
            async with held(usurper):
                await asyncio.sleep(20)

    with pytest.RaisesGroup(RefusedError, flatten_subgroups=True) as caught:
        await serve()
    assert "home.in-use" in str(caught.value.exceptions)
    engine.dispose()
    usurper.dispose()


def test_a_start_that_fails_leaves_no_more_than_its_error(tmp_path: Path) -> None:
    """The ports were open when it failed: they close before the event loop does."""
    home = make(tmp_path / "c")
    with closing(sqlite3.connect(home / "coordinator.sqlite")) as database:
        database.executescript("CREATE TRIGGER broken BEFORE INSERT ON log_leaves BEGIN SELECT json('no json'); END")
    done = run_alone("coordinator", "serve", "--home", home)
    assert (done.code, "[storage.failed]" in done.err) == (75, True), done
    assert "Exception ignored" not in done.err
    assert "Traceback" not in done.err
