"""The control socket, at the serving node: made in its home, opened by its owner only, answered command by command."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sealane.errors import InputError, SealaneError, UnavailableError
from sealane.node.commands import execute
from sealane.node.control import MAX_REQUEST_BYTES, reachable, too_large
from sealane.node.place import Place
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
MAX_CONNECTIONS = 16
REQUEST_SECONDS = 10.0


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
                await _reply(writer, {"error": too_large().to_dict()})
                return
            await _reply(writer, await self._answer(line))

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command, arguments, signed = _read_request(line)
            log(_LOG, "control.command", command=command)
            # In a thread: reading a dataset must hold up neither the stream nor another command.
            return {"result": await asyncio.to_thread(execute, self._place, command, arguments, signed)}
        except SealaneError as error:
            return {"error": error.to_dict()}
        except Exception as error:
            log(_LOG, "control.unexpected", error=error)
            return {"error": SealaneError("internal.error", "something unexpected went wrong at the node",
                                          got=type(error).__name__, hint="its log says where").to_dict()}


async def _reply(writer: asyncio.StreamWriter, reply: dict[str, Any]) -> None:
    writer.write(json.dumps(reply).encode("utf-8") + b"\n")
    await writer.drain()


def _read_request(line: bytes) -> tuple[str, dict[str, Any], dict[str, Any] | None]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if (not isinstance(request, dict) or set(request) - {"signed"} != {"command", "arguments"}
            or not isinstance(request["command"], str) or not isinstance(request["arguments"], dict)
            or not isinstance(request.get("signed", {}), dict)):
        raise InputError("control.malformed", "a control request is malformed",
                         expected='{"command": "…", "arguments": {…}} on one line, signed by a steward or not')
    return request["command"], request["arguments"], request.get("signed")


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
        with reachable(path) as short:
            listener.bind(short)
        path.chmod(0o600)
    except OSError as error:
        listener.close()
        raise UnavailableError("control.not-made", f"{path} cannot be made", got=error.strerror,
                               hint="check that the home is on a local disk and is yours") from error
    return listener
