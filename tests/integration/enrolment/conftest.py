"""A coordinator's two ports on loopback, served by grpc.aio as in real life."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc.aio
import pytest

from sealane.api.enrolment.v1.enrolment_pb2_grpc import (
    add_EnrolmentServiceServicer_to_server,
    add_RenewalServiceServicer_to_server,
)
from sealane.coordinator.home import CoordinatorHome
from sealane.coordinator.initialise import initialise
from sealane.coordinator.settings import Advertise, Listen, Settings
from sealane.core.clock import ManualClock
from sealane.rpc.listening import bind, new_server
from sealane.rpc.tls import MAX_ENROLMENT_BYTES, server_credentials


@dataclass
class Running:
    """A coordinator that serves, and its clock."""

    home: CoordinatorHome
    clock: ManualClock
    enrolment: grpc.aio.Server
    main: grpc.aio.Server
    enrolment_port: int
    main_port: int


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


async def serve(path: Path) -> Running:
    """Make and start a coordinator; TLS itself reads the machine's clock, so ours starts there."""
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    ports = free_ports(2)
    main, enrolment = (f"127.0.0.1:{port}" for port in ports)
    home = initialise(path, Settings(listen=Listen(main=main, enrolment=enrolment),
                                     advertise=Advertise(main=main, enrolment=enrolment)), clock=clock)
    enrolling, renewing = home.enrolment_servicers()
    first, second = new_server(largest=MAX_ENROLMENT_BYTES), new_server()
    add_EnrolmentServiceServicer_to_server(enrolling, first)
    add_RenewalServiceServicer_to_server(renewing, second)
    bind(first, enrolment, server_credentials(home.certificate.current, require_client=False))
    bind(second, main, server_credentials(home.certificate.current, require_client=True))
    await first.start()
    await second.start()
    return Running(home, clock, first, second, ports[1], ports[0])


async def stop(running: Running) -> None:
    await running.enrolment.stop(None)
    await running.main.stop(None)
    running.home.engine.dispose()


@pytest.fixture
async def coordinator(tmp_path: Path) -> AsyncIterator[Running]:
    running = await serve(tmp_path / "coordinator")
    yield running
    await stop(running)


@pytest.fixture
async def other_coordinator(tmp_path: Path) -> AsyncIterator[Running]:
    """Somebody else's, with an authority of its own."""
    running = await serve(tmp_path / "other")
    yield running
    await stop(running)
