"""A home directory: permissions, certificate, databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sealane.cli.diagnosis.check import Check, fail, ok, warn
from sealane.core.clock import to_text
from sealane.node.database import DAMAGED, translate
from sealane.rpc.certificates import Certificate, needs_renewal
from sealane.rpc.keyfiles import check_private


def permissions(home: Path, *parts: str) -> Iterator[Check]:
    """Look whether others may read keys or state.

    Raises:
        RefusedError: they may.
    """
    check_private(home)
    for part in parts:
        directory = home / part
        for path in [directory, *sorted(directory.rglob("*"))] if directory.is_dir() else [directory]:
            if path.exists():
                check_private(path)
    yield ok("permissions", f"only its owner reads {home}")


def certificate(present: Certificate, now: datetime, *, renews: bool) -> Iterator[Check]:
    """Look at a certificate's life."""
    life = f"valid from {to_text(present.not_before)} to {to_text(present.not_after)}"
    if now < present.not_before:
        yield fail("certificate", f"{life}, which has not begun", "set this machine's clock: it runs behind")
    elif now >= present.not_after:
        yield fail("certificate", f"{life}, which is over",
                   "check the clock; if it is right, ask for an invitation and enrol again")
    elif needs_renewal(present, now):
        yield warn("certificate", f"{life}; two thirds are over",
                   "it renews itself within the hour while this is served" if renews
                   else "the next command that connects renews it")
    else:
        yield ok("certificate", f"{life}, {(present.not_after - now).days} days left")


def databases(home: Path, *names: str) -> Iterator[Check]:
    """Look whether SQLite databases are sound."""
    sound = []
    for name in names:
        if not (home / name).exists():
            continue
        try:
            with closing(sqlite3.connect(f"file:{quote(str(home / name))}?mode=ro", uri=True, timeout=5)) as database:
                verdict = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            verdict = getattr(error, "sqlite_errorname", None) or type(error).__name__
            if not verdict.startswith(DAMAGED):
                why = translate(error, home)
                yield fail("database", f"{name}: {why}", why.hint)
                continue
        if verdict == "ok":
            sound.append(name)
        else:
            yield fail("database", f"{name} is damaged: {verdict[:120]}", "stop what serves it and restore a backup")
    if sound:
        yield ok("database", f"{', '.join(sound)} sound")
