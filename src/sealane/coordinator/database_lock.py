"""One serving coordinator for one PostgreSQL database: an advisory lock, which lives as long as its session.

The server lets go of it when the process ends, and within a minute when its machine does. A session that is lost while
the process lives is made again; if another process has taken the lock by then, serving ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from sealane.coordinator.database import mapped
from sealane.errors import RefusedError, UnavailableError

LOCK = 0x5EA1A4E
"""Tells this lock from those of other programs in the same database; the schema is its second half."""
LOOK_SECONDS = 5.0
_TAKE = text("SELECT pg_try_advisory_lock(:lock, hashtext(current_schema()))")
_KEEPALIVES = ("tcp_keepalives_idle = 20", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")


@asynccontextmanager
async def held(engine: Engine) -> AsyncIterator[None]:
    """Hold a database for one serving process for as long as the block lasts; a file is held with its home.

    Raises:
        RefusedError: another process serves it, or has come to while the server was away; then in an ExceptionGroup.
        UnavailableError: the server does not answer at the start.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    session = _Session(engine)
    await asyncio.to_thread(session.take)
    try:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(_keep(session))
            try:
                yield
            finally:
                keeping.cancel()
    finally:
        session.let_go()


class _Session:
    """A connection of its own, outside the pool: closing it lets go of the lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def take(self) -> None:
        with mapped(self._engine):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            self._connection = connection
            for setting in _KEEPALIVES:
                connection.exec_driver_sql(f"SET {setting}")
            taken = connection.execute(_TAKE, {"lock": LOCK}).scalar_one()
        if not taken:
            self.let_go()
            raise RefusedError("home.in-use", "another process serves this coordinator's database",
                               hint="stop it first; two would write one log")

    def lives(self) -> bool:
        try:
            return self._connection is not None and bool(self._connection.exec_driver_sql("SELECT 1").scalar_one())
        except DBAPIError:
            return False

    def let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


async def _keep(session: _Session) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not await asyncio.to_thread(session.lives):
            session.let_go()
            try:
                await asyncio.to_thread(session.take)
            except UnavailableError:
                continue  # without the server nobody writes
