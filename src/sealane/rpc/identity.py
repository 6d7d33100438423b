"""A party's own identity: three keys made here, one certificate, and where they lie.

``<home>/identity`` holds ``identity.json`` (public), ``ca.pem``, ``signing.key`` and ``sealing.key`` (32 raw bytes
each) and ``tls.pem`` (certificate and key in one file, so that a renewal replaces both at once). The directory is
0700, the files 0600, and keys that others may read are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import FINGERPRINT, NAME, Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError
from sealane.rpc.certificates import Certificate, check_issued, read_pem
from sealane.rpc.keyfiles import check_private, read_private, write_private
from sealane.rpc.tls import TlsFiles

DIRECTORY = "identity"
_SEED_BYTES = 32
_KEY_HEADER = b"-----BEGIN PRIVATE KEY-----"
_ADDRESS = r"[A-Za-z0-9._\-\[\]:]{1,255}:[0-9]{1,5}"


class PublicPart(BaseModel):
    """What ``identity.json`` says; nothing secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(default="sealane.identity/v1", pattern=r"^sealane\.identity/v1$")
    name: str = Field(pattern=rf"^{NAME.pattern}$")
    role: str = Field(pattern="^(node|analyst|auditor)$")
    coordinator_address: str = Field(pattern=rf"^{_ADDRESS}$")
    coordinator_key: str = Field(pattern="^[0-9a-f]{64}$")
    coordinator_fingerprint: str = Field(pattern=rf"^{FINGERPRINT.pattern}$")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this party is, with the keys to prove it.

    Attributes:
        name: of the party, as the coordinator knows it.
        role: node, analyst or auditor.
        home: directory that holds it.
        coordinator_address: host:port of the main port.
        coordinator_key: the coordinator's Ed25519 public key, 32 bytes; its fingerprint came with the invitation.
        coordinator_fingerprint: fingerprint of that key.
        signing_key: Ed25519.
        sealing_seed: X25519, for results sealed to this party.
        tls: authority, certificate and key for connections.
    """

    name: str
    role: str
    home: Path
    coordinator_address: str
    coordinator_key: bytes
    coordinator_fingerprint: Fingerprint
    signing_key: SigningKey
    sealing_seed: Secret
    tls: TlsFiles

    @property
    def fingerprint(self) -> Fingerprint:
        """Fingerprint of the signing key: what peers compare out of band."""
        return self.signing_key.fingerprint

    @property
    def sealing_key(self) -> bytes:
        """X25519 public key that results for this party are sealed to."""
        return sealing_public_key(self.sealing_seed)

    @property
    def certificate(self) -> Certificate:
        """What the present certificate says, its life included."""
        return read_pem(self.tls.certificate)

    def with_tls(self, tls: TlsFiles) -> Self:
        """Return the same party with a renewed certificate, after writing it."""
        write_tls(self.home / DIRECTORY, tls)
        return replace(self, tls=tls)


def load_identity(home: Path) -> Identity:
    """Read the identity that enrolment left in a home directory.

    Raises:
        InputError: there is none, or a file of it is malformed.
        RefusedError: a key may be read by others than its owner.
    """
    directory = home / DIRECTORY
    if not directory.is_dir():
        raise InputError("identity.missing", f"{home} holds no identity", hint="enrol with an invitation first, "
                         "or name another --home")
    check_private(directory)
    public = _read_public(directory / "identity.json")
    tls = read_tls(directory)
    certificate = read_pem(tls.certificate)
    if (certificate.name, certificate.role) != (public.name, public.role):
        raise InputError("identity.mismatch", "the certificate names another party than identity.json",
                         got=f"{certificate.role} {certificate.name}", expected=f"{public.role} {public.name}")
    check_issued(x509.load_pem_x509_certificate(tls.certificate), tls.ca, tls.key, name=public.name, role=public.role,
                 now=certificate.not_before)  # whether it has lapsed is for the connection to say
    return Identity(
        name=public.name, role=public.role, home=home, coordinator_address=public.coordinator_address,
        coordinator_key=bytes.fromhex(public.coordinator_key),
        coordinator_fingerprint=Fingerprint(public.coordinator_fingerprint),
        signing_key=SigningKey(read_seed(directory / "signing.key")), sealing_seed=read_seed(directory / "sealing.key"),
        tls=tls)


def write_public(directory: Path, public: PublicPart) -> None:
    """Write ``identity.json``."""
    write_private(directory / "identity.json", canonical_bytes(public.model_dump()))


def write_tls(directory: Path, tls: TlsFiles) -> None:
    """Write the authority and, in one file, certificate and key."""
    write_private(directory / "ca.pem", tls.ca)
    write_private(directory / "tls.pem", tls.certificate + tls.key.reveal())


def read_tls(directory: Path) -> TlsFiles:
    """Read what :func:`write_tls` wrote.

    Raises:
        InputError: a file is missing or malformed.
        RefusedError: a file may be read by others.
    """
    both = read_private(directory / "tls.pem")
    certificate, header, key = both.partition(_KEY_HEADER)
    if not certificate or not header:
        raise InputError("identity.malformed", f"{directory / 'tls.pem'} does not hold a certificate and a key",
                         hint="restore it from a backup, or enrol again")
    return TlsFiles(read_private(directory / "ca.pem"), certificate, Secret(header + key))


def read_seed(path: Path) -> Secret:
    """Read a key of 32 raw bytes.

    Raises:
        InputError: missing, or of another length.
        RefusedError: others may read it.
    """
    seed = read_private(path)
    if len(seed) != _SEED_BYTES:
        raise InputError("identity.malformed", f"{path} is not a key", got=f"{len(seed)} bytes", expected=_SEED_BYTES,
                         hint="restore it from a backup")
    return Secret(seed)


def _read_public(path: Path) -> PublicPart:
    try:
        return PublicPart.model_validate(parse_canonical(read_private(path)))
    except ValidationError as error:
        raise InputError("identity.malformed", f"{path} is malformed", got=f"{error.error_count()} wrong fields: "
                         + ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors()})),
                         hint="restore it from a backup") from None
