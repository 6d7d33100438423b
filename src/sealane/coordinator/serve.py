"""A serving coordinator: both ports, the hub and its clock, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sealane.api.audit.v1.audit_pb2_grpc import add_AuditServiceServicer_to_server
from sealane.api.catalog.v1.catalog_pb2_grpc import add_CatalogServiceServicer_to_server
from sealane.api.enrolment.v1.enrolment_pb2_grpc import (
    add_EnrolmentServiceServicer_to_server,
    add_RenewalServiceServicer_to_server,
)
from sealane.api.run.v1.run_pb2_grpc import add_RunServiceServicer_to_server
from sealane.api.study.v1.study_pb2_grpc import add_StudyServiceServicer_to_server
from sealane.coordinator.audit_service import AuditServicer
from sealane.coordinator.catalog_service import CatalogServicer
from sealane.coordinator.database_lock import held
from sealane.coordinator.home import CoordinatorHome, load_coordinator
from sealane.coordinator.hub import Hub
from sealane.coordinator.run_facts import Patience
from sealane.coordinator.run_service import RunServicer
from sealane.coordinator.store import Store
from sealane.coordinator.stream import add_node_stream
from sealane.coordinator.study_service import StudyServicer
from sealane.core.clock import Clock, system_clock
from sealane.core.exclusive import exclusive
from sealane.rpc.listening import bind, new_server
from sealane.rpc.tls import MAX_ENROLMENT_BYTES, server_credentials
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
GRACE_SECONDS = 2.0


@asynccontextmanager
async def serving(home: Path, *, clock: Clock = system_clock) -> AsyncIterator[Hub]:
    """Serve a coordinator's home on both its ports for as long as the block lasts.

    Raises:
        InputError: the home is missing or malformed.
        RefusedError: another process serves this home, or its database.
        UnavailableError: a port is in use, or the database cannot be opened.
    """
    made = load_coordinator(home, clock=clock)
    try:
        with exclusive(home):
            async with held(made.engine), _serving(made) as hub:
                yield hub
    finally:
        made.engine.dispose()


@asynccontextmanager
async def _serving(made: CoordinatorHome) -> AsyncIterator[Hub]:
    patience = Patience(round_s=made.settings.deadlines.absent_seconds, silent_s=made.settings.deadlines.silent_seconds)
    hub = Hub(Store(made.engine, made.clock), made.registry, patience, made.signing_key,
              made.settings.studies.open_per_proposer)
    hub.restore()
    listen = made.settings.listen
    async with _open_ports(made, hub):
        hub.store.add_event("coordinator.started", "coordinator", made.signing_key.fingerprint)
        log(_LOG, "coordinator.serving", main=listen.main, enrolment=listen.enrolment)
        timekeeper = asyncio.create_task(hub.keep_time())
        try:
            yield hub
        finally:
            timekeeper.cancel()
            with suppress(asyncio.CancelledError):
                await timekeeper
            for connection in list(hub.connections.values()):
                connection.close()
    log(_LOG, "coordinator.stopped")


@asynccontextmanager
async def _open_ports(made: CoordinatorHome, hub: Hub) -> AsyncIterator[None]:
    """Keep both ports open; however the block ends they are closed in this event loop, and not after it."""
    enrolment, renewal = made.enrolment_servicers()
    main_port, enrolment_port = new_server(), new_server(largest=MAX_ENROLMENT_BYTES)
    add_node_stream(hub, main_port)
    add_StudyServiceServicer_to_server(StudyServicer(hub), main_port)
    add_RunServiceServicer_to_server(RunServicer(hub), main_port)
    add_AuditServiceServicer_to_server(AuditServicer(hub), main_port)
    add_CatalogServiceServicer_to_server(CatalogServicer(hub), main_port)
    add_RenewalServiceServicer_to_server(renewal, main_port)
    add_EnrolmentServiceServicer_to_server(enrolment, enrolment_port)
    listen = made.settings.listen
    try:
        bind(main_port, listen.main, server_credentials(made.certificate.current, require_client=True))
        bind(enrolment_port, listen.enrolment, server_credentials(made.certificate.current, require_client=False))
        await main_port.start()
        await enrolment_port.start()
        yield
    finally:
        await asyncio.gather(main_port.stop(GRACE_SECONDS), enrolment_port.stop(GRACE_SECONDS))
