"""Examining a coordinator's home and its ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sealane.cli.coordinator_status import answers
from sealane.cli.diagnosis import home as home_checks
from sealane.cli.diagnosis import machine
from sealane.cli.diagnosis.check import Check, examine, fail, ok, warn
from sealane.coordinator.home import AUTHORITY, IDENTITY, CoordinatorHome, load_coordinator
from sealane.coordinator.store import Store
from sealane.core.clock import system_clock
from sealane.rpc.certificates import read_pem
from sealane.rpc.tls import refuses_tls12

RUNS_SHOWN = 3


def examine_coordinator(path: Path) -> list[Check]:
    """Return everything found about a coordinator's home and its ports."""
    found = examine([
        ("versions", machine.versions), ("tls", machine.own_tls_floor),
        ("permissions", partial(home_checks.permissions, path, AUTHORITY, IDENTITY, "coordinator.sqlite")),
        ("disk", partial(machine.disk, path)),
        ("database", partial(home_checks.databases, path, "coordinator.sqlite")),
    ])
    made: list[CoordinatorHome] = []

    def load() -> Iterator[Check]:
        made.append(load_coordinator(path))
        yield ok("settings", "settings, authority and keys can be read")

    found += examine([("settings", load)])
    for home in made:
        listen = home.settings.listen
        found += examine([
            ("certificate", partial(_certificate, home)),
            ("port", partial(_port, listen.main)), ("port", partial(_port, listen.enrolment)),
            ("tls", partial(_floor, listen.enrolment)),
            ("parties", partial(_parties, home)), ("refused", partial(_refusals, home)),
        ])
        home.engine.dispose()
    return found


def _certificate(home: CoordinatorHome) -> Iterator[Check]:
    yield from home_checks.certificate(read_pem(home.certificate.current().certificate), system_clock(), renews=True)


def _port(address: str) -> Iterator[Check]:
    """Look whether a port is served, or free to be."""
    if answers(address):
        yield ok("port", f"{address} answers")
        return
    host, _, number = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host.strip("[]"), int(number)))
        except OSError as error:
            yield fail("port", f"{address} cannot be had: {error.strerror}",
                       "another process holds it, or it is no address of this machine: change [listen] in "
                       "settings.toml")
        else:
            yield warn("port", f"{address} is free: the coordinator is not serving", "`sealane coordinator serve`")


def _floor(address: str) -> Iterator[Check]:
    """Try TLS 1.2 on the port that asks for no certificate."""
    if not answers(address):
        return
    host, _, number = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - compared, not bound
    if refuses_tls12(host, int(number)):
        yield ok("tls", f"{address} turns TLS 1.2 away")
    else:
        yield fail("tls", f"{address} speaks TLS 1.2", "is that port another program's? otherwise unset "
                                                       "GRPC_SSL_CIPHER_SUITES and start again")


def _parties(home: CoordinatorHome) -> Iterator[Check]:
    parties = home.registry.all()
    quarantined = [party.name for party in parties if party.status == "quarantined"]
    if quarantined:
        yield warn("parties", f"in quarantine: {', '.join(quarantined)}", f"`sealane coordinator reinstate "
                                                                         f"{quarantined[0]}`")
    else:
        yield ok("parties", f"{len(parties)} enrolled")


def _refusals(home: CoordinatorHome) -> Iterator[Check]:
    stopped = [(facts, at) for facts, at in Store(home.engine, home.clock).all_runs() if facts.error is not None]
    for facts, at in stopped[:RUNS_SHOWN]:
        yield warn("refused", f"run {facts.run_id} {facts.state.lower()}, started {at}: {facts.error}",
                   facts.error.hint if facts.error is not None else None)
    if not stopped:
        yield ok("refused", "no run was refused")
