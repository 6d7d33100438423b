"""The coordinator's certificate authority: one P-256 key, certificates for its servers and for parties.

The authority lives ten years and signs no other authority. A leaf lives 90 days unless settings say otherwise. There
is no revocation list: every call is checked against the registry, which knows the serials it accepts. A party's
certificate is good for clients only, so that no node can pose as the coordinator.

Source: RFC 5280 for the extensions; lifetimes are ours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sealane.core.entropy import random_bytes
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.rpc.certificates import party_uri

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
CLOCK_SKEW = timedelta(minutes=5)
"""A certificate begins this long before it is issued, for parties whose clocks are behind."""


class Authority:
    """A key that issues certificates; the key leaves only through :meth:`key_pem`, to be written to its file."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def make(cls, now: datetime) -> Self:
        """Make a new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sealane authority {random_bytes(4).hex()}")])
        certificate = (
            _dated(name, key.public_key(), now, AUTHORITY_LIFE).issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(key, SHA256()))
        return cls(certificate, key)

    @classmethod
    def load(cls, certificate_pem: bytes, key_pem: Secret) -> Self:
        """Read an authority.

        Raises:
            InputError: the files are malformed or do not belong together.
        """
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            key = load_pem_private_key(key_pem.reveal(), None)
        except (ValueError, TypeError) as error:
            raise InputError("authority.malformed", "the authority's files cannot be read", got=type(error).__name__,
                             hint="restore them from a backup") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
            raise InputError("authority.mismatch", "the authority's key does not belong to its certificate",
                             hint="restore both from one backup")
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """The authority's certificate, which everyone may have."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> Secret:
        """Return the private key for its file."""
        return Secret(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def issue_party(self, key: ec.EllipticCurvePublicKey, *, name: str, role: str, now: datetime,
                    life: timedelta = LEAF_LIFE) -> x509.Certificate:
        """Issue a certificate that lets a party call; it has no host names, so it serves nowhere."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(party_uri(role, name))]
        return self._issue(key, name, role, names, ExtendedKeyUsageOID.CLIENT_AUTH, now, life)

    def issue_server(self, key: ec.EllipticCurvePublicKey, *, hosts: Iterable[str], now: datetime,
                     life: timedelta = LEAF_LIFE) -> x509.Certificate:
        """Issue the coordinator's own certificate for the hosts (names or addresses) it is reached by."""
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(party_uri("coordinator", "coordinator"))]
        names += general_names(hosts)
        return self._issue(key, "coordinator", "coordinator", names, ExtendedKeyUsageOID.SERVER_AUTH, now, life)

    def _issue(self, key: ec.EllipticCurvePublicKey, name: str, role: str, names: list[x509.GeneralName],
               purpose: x509.ObjectIdentifier, now: datetime, life: timedelta) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name),
                             x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role)])
        # No leaf outlives its authority: such a chain would fail before the leaf says so.
        life = min(life, self.certificate.not_valid_after_utc - now)
        return (
            _dated(subject, key, now, life).issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256()))

    def __repr__(self) -> str:
        return f"Authority({self.certificate.subject.rfc4514_string()})"


def _dated(subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime,
           life: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(subject).public_key(key).serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW).not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False))


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False)


def general_names(hosts: Iterable[str]) -> list[x509.GeneralName]:
    """Return hosts as a certificate writes them: addresses as addresses, all else as DNS names."""
    return list(dict.fromkeys(_host(host) for host in hosts))


def certified_hosts(pem: bytes) -> list[x509.GeneralName]:
    """Return the hosts that a server certificate is for."""
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [name for name in names if isinstance(name, (x509.DNSName, x509.IPAddress))]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)
