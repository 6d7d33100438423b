"""Making a coordinator: authority, server certificate, its own signing key, settings and an empty database.

Everything is made beside the home and moved into place at once: a home is either complete or not there.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from sealane.coordinator.authority import Authority
from sealane.coordinator.database import open_database
from sealane.coordinator.home import AUTHORITY, IDENTITY, CoordinatorHome, issue_server, load_coordinator
from sealane.coordinator.settings import FILE, Settings
from sealane.core.clock import Clock, system_clock
from sealane.core.entropy import random_bytes, random_secret
from sealane.core.handles import sync_directory
from sealane.errors import RefusedError, UnavailableError
from sealane.rpc.identity import write_tls
from sealane.rpc.keyfiles import make_private_directory, write_private


def initialise(home: Path, settings: Settings | None = None, *, clock: Clock = system_clock) -> CoordinatorHome:
    """Make a new coordinator in ``home``, which must be missing or empty.

    Raises:
        InputError: the database's URL cannot be used.
        RefusedError: something is there already; nothing is overwritten.
        UnavailableError: the disk is full or refuses, or the database does not answer.
    """
    settings = settings if settings is not None else Settings()
    _check_empty(home)
    building = home.with_name(f".{home.name}.{random_bytes(6).hex()}")
    try:
        _build(building, settings, clock)
        building.rename(home)  # replaces an empty directory, and fails on any other
        sync_directory(home.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _exists(home) from None
        raise UnavailableError("storage.refused", f"{home} cannot be made", got=error.strerror,
                               hint="check that its parent belongs to this user and has space") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return load_coordinator(home, clock=clock)


def _build(directory: Path, settings: Settings, clock: Clock) -> None:
    for part in (directory, directory / AUTHORITY, directory / IDENTITY):
        make_private_directory(part)
    authority = Authority.make(clock())
    write_private(directory / AUTHORITY / "ca.pem", authority.pem)
    write_private(directory / AUTHORITY / "ca.key", authority.key_pem().reveal())
    write_private(directory / IDENTITY / "signing.key", random_secret(32).reveal())
    write_tls(directory / IDENTITY, issue_server(authority, settings, clock))
    write_private(directory / FILE, settings.to_toml().encode("utf-8"))
    open_database(settings.database_in(directory)).dispose()


def _check_empty(home: Path) -> None:
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise _exists(home)


def _exists(home: Path) -> RefusedError:
    return RefusedError("coordinator.exists", f"{home} is not empty", expected="a new or empty directory",
                        hint="a coordinator is never overwritten: its authority and registry cannot be made again")
