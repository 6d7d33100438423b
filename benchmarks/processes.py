"""What benchmarks with processes of their own share: ports, statements sent by hand, processor time."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from sealane._version import __version__
from sealane.cli.local_federation import free_ports
from sealane.node.stream import open_link
from sealane.rpc.identity import load_identity
from sealane.rpc.notices import Hello


def free_ports_pair() -> tuple[str, str]:
    """Return two free ports."""
    first, second = free_ports(2)
    return first, second


def await_port(address: str, seconds: float = 60.0) -> None:
    """Wait until something listens at ``host:port``."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host or "127.0.0.1", int(port)), 1.0).close()
        except OSError:
            assert time.monotonic() < deadline, "the coordinator did not come up"
            time.sleep(0.2)
        else:
            return


def send_by_hand(home: Path, signed: Any) -> None:
    """Hand a statement to the coordinator over a short stream of the node's own."""

    async def speak() -> None:
        async with open_link(load_identity(home)) as link:
            link.send(Hello(__version__, ()))
            link.send(signed)
            async for message in link:
                if signed in getattr(message, "statements", ()):
                    return

    asyncio.run(asyncio.wait_for(speak(), 10))


def cpu_seconds(processes: list[subprocess.Popen[bytes]]) -> float:
    """Return the processor time that processes have used, from proc(5)."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_megabytes(process: subprocess.Popen[bytes]) -> float:
    """Return the most memory that a process has held at once, from proc(5), in 10^6 bytes."""
    line, = (line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6
