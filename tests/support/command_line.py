"""The command line in tests: in this process where that will do, as a process where it must be one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sealane
from sealane.cli.main import invoke

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("SEALANE_")} | {
    "PYTHONPATH": str(Path(sealane.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
MODULE = [sys.executable, "-m", "sealane.cli"]
DEADLINE = 60.0


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What stdout holds, which must be exactly one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["error"]
        return found


def run(*arguments: object) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def run_well(*arguments: object) -> Any:
    """Run a command with ``--json`` in this process and return its document."""
    done = run(*arguments, "--json")
    assert done.code == 0, done
    return done.document


def refused(code: str, exit_code: int, *arguments: object) -> dict[str, Any]:
    """Run a command that must be refused, both as text and as JSON, and return the error."""
    text, plain = run(*arguments, "--json"), run(*arguments)
    error = text.error
    assert (error["code"], text.code, plain.code) == (code, exit_code, exit_code), (text, plain)
    assert f"error: {error['message']} [{code}]" in plain.err
    assert f"hint: {error['hint']}" in plain.err
    assert plain.out == ""
    assert text.err == ""
    return error


def run_alone(*arguments: object, stdin: str | None = None) -> Done:
    """Run a command as a process of its own."""
    done = subprocess.run([*MODULE, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                          env=ENVIRONMENT, timeout=DEADLINE, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def serving(role: str, home: Path, *, end: signal.Signals = signal.SIGTERM, code: int = 0) -> Iterator[dict[str, Any]]:
    """Let a role serve as a process, from its ready line to a clean end with the exit code expected."""
    with home.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen([*MODULE, role, "serve", "--json", "--home", str(home)], env=ENVIRONMENT,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, home.with_suffix(".log").read_text()
        yield json.loads(line)
        process.send_signal(end)
        assert process.wait(20) == code, home.with_suffix(".log").read_text()
        assert process.stdout.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
