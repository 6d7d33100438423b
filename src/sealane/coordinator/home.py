"""What lies in a coordinator's home directory, and how it is read at a start.

``settings.toml``, ``coordinator.sqlite``, ``authority/`` (``ca.pem``, ``ca.key``) and ``identity/`` (``signing.key``,
``ca.pem``, ``tls.pem``). Keys are 0600 in directories of 0700.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from sealane.coordinator.authority import Authority, certified_hosts, general_names
from sealane.coordinator.database import open_database
from sealane.coordinator.enrolment import Enrolments, EnrolmentServicer, RenewalServicer
from sealane.coordinator.invitations import Invitations
from sealane.coordinator.limiter import FailureLimiter
from sealane.coordinator.registry import Registry
from sealane.coordinator.settings import Settings, read_settings
from sealane.core.clock import Clock, system_clock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, UnavailableError
from sealane.rpc.certificates import certificate_request, needs_renewal, new_tls_key, read_pem, requested_key
from sealane.rpc.identity import read_seed, read_tls, write_tls
from sealane.rpc.invitation import Invitation
from sealane.rpc.keyfiles import read_private
from sealane.rpc.tls import TlsFiles
from sealane.telemetry.logs import get_logger, log

AUTHORITY = "authority"
IDENTITY = "identity"

_LOG = get_logger(__name__)


class ServerCertificate:
    """The certificate that both ports show; it is issued anew when two thirds of its life are over."""

    def __init__(self, directory: Path, authority: Authority, settings: Settings, clock: Clock) -> None:
        self._directory = directory
        self._authority = authority
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()  # grpc asks from threads of its own
        self._files = read_tls(directory)
        if set(certified_hosts(self._files.certificate)) != set(general_names(settings.server_hosts())):
            self._files = issue_server(authority, settings, clock)  # the operator changed the advertised names
            write_tls(directory, self._files)

    def current(self) -> TlsFiles:
        """Return what to show now."""
        with self._lock:
            if needs_renewal(read_pem(self._files.certificate), self._clock()):
                self._files = issue_server(self._authority, self._settings, self._clock)
                try:
                    write_tls(self._directory, self._files)
                except UnavailableError as error:
                    # What is in memory serves; the next start issues another.
                    log(_LOG, "coordinator.certificate-not-written", level=logging.WARNING, error=error)
            return self._files


@dataclass(frozen=True, slots=True)
class CoordinatorHome:
    """Everything a coordinator has at a start.

    Attributes:
        home: the directory.
        settings: as read.
        clock: the one all parts use.
        signing_key: the coordinator's own Ed25519 key.
        authority: issues certificates.
        engine: the database.
        registry: parties.
        invitations: one-time tokens.
        certificate: what the ports show.
    """

    home: Path
    settings: Settings
    clock: Clock
    signing_key: SigningKey
    authority: Authority
    engine: Engine
    registry: Registry
    invitations: Invitations
    certificate: ServerCertificate

    def invite(self, name: str, role: str = "node") -> Invitation:
        """Make an invitation; its text holds the token, which is kept nowhere."""
        token, _ = self.invitations.create(name, role)
        return Invitation(address=self.settings.advertise.main, enrolment_address=self.settings.advertise.enrolment,
                          ca=self.authority.pem.decode("ascii"), token=token, name=name, role=role,
                          coordinator=self.signing_key.fingerprint)

    def enrolment_servicers(self) -> tuple[EnrolmentServicer, RenewalServicer]:
        """Return the servicers for the enrolment port and for the main port."""
        enrolments = Enrolments(self.authority, self.invitations, self.registry, self.signing_key.public_key,
                                self.settings.certificate_life)
        enrolment = EnrolmentServicer(enrolments, FailureLimiter(self.clock), self.signing_key.public_key,
                                      self.settings.advertise.main)
        return enrolment, RenewalServicer(enrolments)


def load_coordinator(home: Path, *, clock: Clock = system_clock) -> CoordinatorHome:
    """Read a coordinator's home and open its database.

    Raises:
        InputError: a file is missing or malformed.
        RefusedError: a key may be read by others, or the database is of another version.
        UnavailableError: the database cannot be opened.
    """
    if not (home / AUTHORITY).is_dir():
        raise InputError("coordinator.missing", f"{home} holds no coordinator",
                         hint="run `sealane coordinator init`, or name another --home")
    settings = read_settings(home)
    authority = Authority.load(read_private(home / AUTHORITY / "ca.pem"),
                               Secret(read_private(home / AUTHORITY / "ca.key")))
    engine = open_database(settings.database_in(home))
    return CoordinatorHome(
        home=home, settings=settings, clock=clock, signing_key=SigningKey(read_seed(home / IDENTITY / "signing.key")),
        authority=authority, engine=engine, registry=Registry(engine, clock),
        invitations=Invitations(engine, clock, settings.invitation_life),
        certificate=ServerCertificate(home / IDENTITY, authority, settings, clock))


def issue_server(authority: Authority, settings: Settings, clock: Clock) -> TlsFiles:
    """Make a key and a certificate for the coordinator's ports."""
    key = new_tls_key()
    certificate = authority.issue_server(requested_key(certificate_request(key, "coordinator")),
                                         hosts=settings.server_hosts(), now=clock(), life=settings.certificate_life)
    return TlsFiles(authority.pem, certificate.public_bytes(Encoding.PEM), key)
