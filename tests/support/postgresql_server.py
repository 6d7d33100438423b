"""A real PostgreSQL server on loopback, started from the distribution's binaries; without them the test is skipped."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "only-for-this-test"


def binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: name another user then."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


class Server:
    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        self._folder, self._programs, self._user = folder, programs, user
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        password = folder / "password"
        password.write_text(PASSWORD)
        if user:
            for path in (folder, password):
                shutil.chown(path, user)
        self._run("initdb", "-D", str(folder / "data"), "-U", "steward", "-A", "scram-sha-256",
                  f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-sync")
        self._process = subprocess.Popen(
            [programs / "postgres", "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(self.port), "-k", "",
             "-F"], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if self._ready():
                return
            time.sleep(0.1)
        raise AssertionError("the server did not start within 10 s")

    def url(self, table: str, *, password: str = PASSWORD, port: int | None = None) -> str:
        return f"postgresql://steward:{password}@127.0.0.1:{port or self.port}/postgres?table={table}"

    def sql(self, *statements: str) -> None:
        self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "steward", "-d", "postgres", "-q",
                  "-v", "ON_ERROR_STOP=1", *(part for one in statements for part in ("-c", one)))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        program = [self._programs / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(program, check=False, capture_output=True).returncode == 0

    def _run(self, program: str, *options: str) -> None:
        environment = {"PGPASSWORD": PASSWORD, "PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        subprocess.run([self._programs / program, *options], check=True, capture_output=True, user=self._user,
                       env=environment, cwd="/")


@contextmanager
def postgresql_server() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed on this machine (Debian package: postgresql)")
    pytest.importorskip("adbc_driver_postgresql", reason="the postgres extra is not installed")
    user = unprivileged()
    if os.geteuid() == 0 and user is None:
        pytest.skip("running as root, and there is no other user that PostgreSQL could run as")
    folder = Path(tempfile.mkdtemp(prefix="sealane-pg-"))
    started: Server | None = None
    try:
        started = Server(folder, programs, user)
        yield started
    finally:
        if started is not None:
            started.stop()
        shutil.rmtree(folder, ignore_errors=True)
