"""The control socket, at the caller's end: a command for the node of a home, wherever it is to be run.

One JSON object a line each way: ``{"command": …, "arguments": {…}}``, answered by ``{"result": …}`` or
``{"error": {…}}``. A steward's request is signed, in a third member. Where no node serves, the command is run in the
calling process, with the home held.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sealane.core.clock import Clock, system_clock
from sealane.core.exclusive import exclusive
from sealane.errors import InputError, ProtocolError, RefusedError, UnavailableError, from_dict

SOCKET = "control.sock"
MAX_REQUEST_BYTES = 64 << 10
MAX_REPLY_BYTES = 16 << 20
STEWARD_VARIABLE = "SEALANE_STEWARD_HOME"
CONNECT_SECONDS = 5.0
STARTING_SECONDS = 5.0
_PAUSE_SECONDS = 0.1
_LONGEST_PATH = 107
"""``sun_path`` of Linux, without its final NUL. Source: unix(7)."""


def call(home: Path, command: str, arguments: Mapping[str, Any] | None = None, *, clock: Clock = system_clock) -> Any:
    """Run a command at the node of a home: in the process that serves it, or here if none does.

    Args:
        home: of an enrolled node.
        command: one of :data:`sealane.node.commands.COMMANDS`.
        arguments: of the command, JSON-ready.
        clock: for commands that run here, and for signatures.

    A steward's key signs the request where the environment names a steward's home, as ``SEALANE_STEWARD_HOME``.

    Raises:
        SealaneError: what the command refused, or why the node could not be reached.
    """
    request: dict[str, Any] = {"command": command, "arguments": dict(arguments or {})}
    steward = os.environ.get(STEWARD_VARIABLE)
    if steward:
        request["signed"] = _signed(home, Path(steward).expanduser(), command, request["arguments"], clock)
    for _ in range(int(STARTING_SECONDS / _PAUSE_SECONDS)):
        connected = _connect(home)
        if connected is not None:
            with connected:
                return _ask(connected, request)
        try:
            return _run_here(home, request, clock)
        except RefusedError as error:
            if error.code != "home.in-use":
                raise
        time.sleep(_PAUSE_SECONDS)  # it starts or stops just now, or another command is at work
    raise UnavailableError("control.silent", "a process holds this home and takes no commands", got=str(home),
                           hint="wait until it is done, or stop it")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name of a socket that is short enough, by way of an open directory where its path is too long.

    Raises:
        InputError: the path is too long and the system has no /proc.
    """
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        short = f"/proc/self/fd/{directory}"
        if not os.path.isdir(short):
            raise InputError("control.path-too-long", "the home's path is too long for a socket",
                             got=f"{len(os.fsencode(path))} bytes", expected=f"at most {_LONGEST_PATH}",
                             hint="use a shorter --home")
        yield f"{short}/{path.name}"
    finally:
        os.close(directory)


def _connect(home: Path) -> socket.socket | None:
    """Return a connection to the node that serves a home, or None where none does."""
    path = home / SOCKET
    if not path.exists():
        return None
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(CONNECT_SECONDS)
    try:
        with reachable(path) as short:
            client.connect(short)
    except (ConnectionRefusedError, FileNotFoundError):
        client.close()
        return None
    except OSError as error:
        client.close()
        raise UnavailableError("control.refused", "the serving node cannot be reached", got=error.strerror,
                               expected="its owner, at its control socket", hint=f"look at {path}") from error
    return client


def _signed(home: Path, steward: Path, command: str, arguments: dict[str, Any], clock: Clock) -> dict[str, str]:
    from sealane.node.stewardship import load_steward, sign_request
    from sealane.rpc.identity import load_identity

    return sign_request(load_steward(steward).key, load_identity(home).fingerprint, command, arguments, clock())


def _ask(client: socket.socket, request: dict[str, Any]) -> Any:
    line = json.dumps(request).encode("utf-8") + b"\n"
    if len(line) > MAX_REQUEST_BYTES:
        raise too_large()
    try:
        client.sendall(line)
        client.settimeout(None)  # a large dataset takes as long as it takes; a node that dies closes the connection
        with client.makefile("rb") as answers:
            line = answers.readline(MAX_REPLY_BYTES)
        reply = json.loads(line)
    except (OSError, ValueError):
        raise UnavailableError("control.closed", "the serving node ended the connection without an answer",
                               hint="it was stopped or refused this user; repeat the command") from None
    if isinstance(reply, dict) and isinstance(reply.get("error"), dict):
        raise from_dict(reply["error"])
    if not isinstance(reply, dict) or "result" not in reply:
        raise ProtocolError("control.reply-malformed", "the serving node's answer is malformed",
                            hint="is it of the same version?")
    return reply["result"]


def _run_here(home: Path, request: dict[str, Any], clock: Clock) -> Any:
    # Imported only now: a command for a serving node needs no pandas, and should answer at once.
    from sealane.node.commands import execute
    from sealane.node.home import open_home
    from sealane.node.place import Place

    with exclusive(home) if (home / "identity").is_dir() else nullcontext():
        opened = open_home(home, clock=clock)
        try:
            return execute(Place(opened), request["command"], request["arguments"], request.get("signed"))
        finally:
            opened.close()


def too_large() -> InputError:
    """Return the error about a request that is too large."""
    return InputError("control.too-large", "a control request is too large",
                      expected=f"at most {MAX_REQUEST_BYTES} bytes")
