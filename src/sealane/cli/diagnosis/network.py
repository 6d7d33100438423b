"""The way to the coordinator, and its answers: port, handshake, clocks, why runs ended."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sealane.cli.diagnosis.check import Check, fail, ok, warn
from sealane.client.session import Session
from sealane.client.status import RunStatus
from sealane.core.clock import from_text
from sealane.rpc.notices import PartyRecord, StudyRecord

CONNECT_SECONDS = 5.0
SKEW = timedelta(seconds=60)
RUNS_SHOWN = 3


def port(address: str) -> Iterator[Check]:
    """Look whether the coordinator's port can be reached."""
    host, _, number = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(number)), CONNECT_SECONDS):
            yield ok("port", f"{address} answers")
    except OSError as error:
        yield fail("port", f"{address} cannot be reached: {error.strerror or type(error).__name__}",
                   "is the coordinator serving, and is the address open in the firewall?")


class Answers:
    """What the coordinator answers to this party, asked once.

    Raises:
        SealaneError: it cannot be reached, or does not take this party.
    """

    def __init__(self, session: Session) -> None:
        self.parties: list[PartyRecord] = session.parties()
        self.studies: list[StudyRecord] = session.studies()
        self.runs: list[RunStatus] = session.runs()


def handshake(answers: Answers, address: str) -> Iterator[Check]:
    """Say that the coordinator took this party's certificate and answered."""
    connected = sum(party.connected for party in answers.parties)
    nodes = sum(party.role == "node" for party in answers.parties)
    yield ok("coordinator", f"{address} took the certificate over mutual TLS; {connected} of {nodes} nodes connected")


def clock(answers: Answers, now: datetime) -> Iterator[Check]:
    """Compare clocks as far as that is possible: nothing that the coordinator dated lies in the future."""
    dated = [from_text(text) for text in (*(study.proposed_at for study in answers.studies),
                                          *(run.started_at for run in answers.runs)) if text]
    newest = max(dated, default=None)
    if newest is not None and newest > now + SKEW:
        yield fail("clock", f"the coordinator dated something {newest - now} in the future of this machine",
                   "set both clocks by NTP; certificates and expiry depend on them")
    else:
        yield ok("clock", "nothing from the coordinator lies in this machine's future")


def refusals(runs: Sequence[RunStatus]) -> Iterator[Check]:
    """Say why the newest runs that did not complete ended or paused."""
    stopped = [run for run in runs if run.error is not None][:RUNS_SHOWN]
    for run in stopped:
        assert run.error is not None
        yield warn("refused", f"run {run.run_id} {run.state.lower()}, started {run.started_at}: {run.error}",
                   run.error.hint)
    if not stopped:
        yield ok("refused", "no run was refused")
