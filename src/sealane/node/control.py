"""The control socket: commands for a serving node, on a Unix socket in its home that only its owner opens.

One JSON object a line each way: ``{"command": …, "arguments": {…}}``, answered by ``{"result": …}`` or
``{"error": {…}}``. Where no node serves, :func:`call` runs the command in the calling process instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sealane.core.clock import Clock, system_clock
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError, from_dict
from sealane.node.commands import Place, execute
from sealane.node.home import exclusive, open_home
from sealane.rpc.identity import DIRECTORY as IDENTITY
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
SOCKET = "control.sock"
MAX_REQUEST_BYTES = 64 << 10
MAX_REPLY_BYTES = 16 << 20
MAX_CONNECTIONS = 16
REQUEST_SECONDS = 10.0
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
        clock: for commands that run here.

    Raises:
        SealaneError: what the command refused, or why the node could not be reached.
    """
    for _ in range(int(STARTING_SECONDS / _PAUSE_SECONDS)):
        connected = _connect(home)
        if connected is not None:
            with connected:
                return _ask(connected, command, dict(arguments or {}))
        try:
            with exclusive(home) if (home / IDENTITY).is_dir() else contextlib.nullcontext():
                return _run_here(home, command, dict(arguments or {}), clock)
        except RefusedError as error:
            if error.code != "home.in-use":
                raise
        time.sleep(_PAUSE_SECONDS)  # it starts or stops just now, or another command is at work
    raise UnavailableError("control.silent", "a process holds this home and takes no commands", got=str(home),
                           hint="wait until it is done, or stop it")


@asynccontextmanager
async def listening(place: Place) -> AsyncIterator[None]:
    """Take commands for a serving node for as long as the block lasts.

    Raises:
        UnavailableError: the socket cannot be made.
    """
    path = place.home.control_path
    listener = _bind(path)
    control = _Control(place)
    server = await asyncio.start_unix_server(control.serve, sock=listener, limit=MAX_REQUEST_BYTES)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        await control.close()


class _Control:
    """The connections to one node's control socket."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) <= MAX_CONNECTIONS and _is_owner(writer.get_extra_info("socket")):
                await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # the caller went away or was silent, or this node stops
        finally:
            self._open.discard(task)
            writer.close()

    async def close(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                await _reply(writer, {"error": _too_large().to_dict()})
                return
            await _reply(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command, arguments = _read_request(line)
            log(_LOG, "control.command", command=command)
            # In a thread: reading a dataset must hold up neither the stream nor another command.
            return {"result": await asyncio.to_thread(execute, self._place, command, arguments)}
        except SealaneError as error:
            return {"error": error.to_dict()}
        except Exception as error:
            log(_LOG, "control.unexpected", error=error)
            return {"error": SealaneError("internal.error", "something unexpected went wrong at the node",
                                          got=type(error).__name__, hint="its log says where").to_dict()}


async def _reply(writer: asyncio.StreamWriter, reply: dict[str, Any]) -> None:
    writer.write(json.dumps(reply).encode("utf-8") + b"\n")
    await writer.drain()


def _read_request(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if (not isinstance(request, dict) or set(request) != {"command", "arguments"}
            or not isinstance(request["command"], str) or not isinstance(request["arguments"], dict)):
        raise InputError("control.malformed", "a control request is malformed",
                         expected='{"command": "…", "arguments": {…}} on one line')
    return request["command"], request["arguments"]


def _too_large() -> InputError:
    return InputError("control.too-large", "a control request is too large",
                      expected=f"at most {MAX_REQUEST_BYTES} bytes")


def _is_owner(peer: socket.socket) -> bool:
    """Tell whether the other end is this user or root; the file's mode says so already, where it is respected."""
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    if user not in (os.geteuid(), 0):
        log(_LOG, "control.stranger", user=user)
        return False
    return True


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)  # left by a process that was killed: the home is held, so no other serves it
        os.fchmod(listener.fileno(), 0o600)  # on Linux the file is made with the socket's mode
        with _reachable(path) as short:
            listener.bind(short)
        path.chmod(0o600)
    except OSError as error:
        listener.close()
        raise UnavailableError("control.not-made", f"{path} cannot be made", got=error.strerror,
                               hint="check that the home is on a local disk and is yours") from error
    return listener


@contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """Give a name of the socket that is short enough, by way of an open directory where its path is too long.

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
        with _reachable(path) as short:
            client.connect(short)
    except (ConnectionRefusedError, FileNotFoundError):
        client.close()
        return None
    except OSError as error:
        client.close()
        raise UnavailableError("control.refused", "the serving node cannot be reached", got=error.strerror,
                               expected="its owner, at its control socket", hint=f"look at {path}") from error
    return client


def _ask(client: socket.socket, command: str, arguments: dict[str, Any]) -> Any:
    request = json.dumps({"command": command, "arguments": arguments}).encode("utf-8") + b"\n"
    if len(request) > MAX_REQUEST_BYTES:
        raise _too_large()
    try:
        client.sendall(request)
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


def _run_here(home: Path, command: str, arguments: dict[str, Any], clock: Clock) -> Any:
    opened = open_home(home, clock=clock)
    try:
        return execute(Place(opened), command, arguments)
    finally:
        opened.register.close()
