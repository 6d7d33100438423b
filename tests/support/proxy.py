"""A TCP relay on loopback in a thread of its own: it delays, stalls, cuts and counts what passes through it.

TLS passes through unread, so what it does to a connection is what a network does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LARGEST_READ = 1 << 16


@dataclass(eq=False)
class _Tunnel:
    """One connection through the relay: the two sockets and what passed."""

    port: int
    sockets: list[asyncio.StreamWriter]
    open: asyncio.Event
    up: int = 0
    down: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Proxy:
    """Relays between its own address and another one.

    Args:
        target: host:port of what listens for real.
        address: host:port to listen on.

    Attributes:
        latency_s: seconds by which bytes are held back, each way; may be changed at any time.
    """

    def __init__(self, target: str, address: str) -> None:
        self.address = address
        self.latency_s = 0.0
        self._target = target
        self._tunnels: list[_Tunnel] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(self._listen())

    def close(self) -> None:
        """Stop, and end every connection."""
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """End every connection at once, as a failing router does, and return how many there were."""
        return self._do(self._cut())

    def stall(self, pid: int) -> int:
        """Swallow silence into the connections of one process: nothing passes, nobody is told. Returns how many."""
        return self._do(self._stall(pid))

    def resume(self) -> None:
        """Let the stalled connections go on with what they held."""
        self._do(self._resume())

    @property
    def bytes_up(self) -> int:
        """Bytes that went to the target, over all connections."""
        return sum(tunnel.up for tunnel in self._tunnels)

    @property
    def bytes_down(self) -> int:
        """Bytes that came from the target, over all connections."""
        return sum(tunnel.down for tunnel in self._tunnels)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        waiting: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return waiting.result(10)

    async def _listen(self) -> asyncio.Server:
        host, _, port = self.address.rpartition(":")
        return await asyncio.start_server(self._accept, host, int(port))

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        await asyncio.gather(*(t for tunnel in self._tunnels for t in tunnel.tasks), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._target.rpartition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        going = asyncio.Event()
        going.set()
        tunnel = _Tunnel(writer.get_extra_info("peername")[1], [writer, far_writer], going)
        self._tunnels.append(tunnel)
        tunnel.tasks = [asyncio.create_task(self._pump(tunnel, reader, far_writer, "up")),
                        asyncio.create_task(self._pump(tunnel, far_reader, writer, "down"))]

    async def _pump(self, tunnel: _Tunnel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
                    way: str) -> None:
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.create_task(self._deliver(tunnel, held, writer, way))
        with contextlib.suppress(OSError):
            while data := await reader.read(LARGEST_READ):
                held.put_nowait((self._loop.time() + self.latency_s, data))
        held.put_nowait((self._loop.time() + self.latency_s, b""))
        await sending

    async def _deliver(self, tunnel: _Tunnel, held: asyncio.Queue[tuple[float, bytes]],
                       writer: asyncio.StreamWriter, way: str) -> None:
        while True:
            due, data = await held.get()
            await asyncio.sleep(due - self._loop.time())
            await tunnel.open.wait()
            if not data:
                writer.close()
                return
            setattr(tunnel, way, getattr(tunnel, way) + len(data))
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()

    async def _cut(self) -> int:
        count = 0
        for tunnel in self._tunnels:
            count += not tunnel.sockets[0].is_closing()
            tunnel.open.set()
            for each in tunnel.sockets:
                each.transport.abort()
        return count

    async def _stall(self, pid: int) -> int:
        ports = set(_ports_of(pid))
        found = [tunnel for tunnel in self._tunnels if tunnel.port in ports]
        for tunnel in found:
            tunnel.open.clear()
        return len(found)

    async def _resume(self) -> None:
        for tunnel in self._tunnels:
            tunnel.open.set()


def _ports_of(pid: int) -> Iterator[int]:
    """Return the local TCP ports of a process's sockets, from proc(5)."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(entry))
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                yield int(fields[1].rpartition(":")[2], 16)
