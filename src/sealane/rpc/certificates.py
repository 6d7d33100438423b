"""X.509 as Sealane uses it: P-256 keys, requests, and what a party's certificate says.

CN is the party's name and OU its role; the URI ``sealane://<role>/<name>`` in the subject's alternative names says
the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from sealane.core.clock import to_text
from sealane.core.ids import NAME
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, RefusedError

MAX_REQUEST_BYTES = 4 << 10
MAX_CERTIFICATE_BYTES = 8 << 10
MAX_CHAIN = 4
ROLES = ("node", "analyst", "auditor", "coordinator")
PARTY_ROLES = ("node", "analyst", "auditor")

_UNREADABLE = (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a party's certificate says.

    Attributes:
        name: of the party.
        role: node, analyst, auditor or coordinator.
        serial: serial number, in lower-case hex.
        fingerprint: SHA-256 of the DER form, in hex (not the party's fingerprint, which is of its signing key).
        not_before: start of its life.
        not_after: end of its life.
    """

    name: str
    role: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime

    def check_time(self, now: datetime) -> None:
        """Refuse a certificate outside its life.

        Raises:
            RefusedError: it has lapsed, or has not begun.
        """
        if now >= self.not_after:
            raise RefusedError("auth.certificate-expired", f"the certificate of {self.role} {self.name} has lapsed",
                               got=f"valid to {to_text(self.not_after)}", expected=f"valid at {to_text(now)}",
                               hint="check the clock; then ask the coordinator for a new invitation and enrol again")
        if now < self.not_before:
            raise RefusedError("auth.certificate-not-yet", f"{self.role} {self.name} has a certificate not valid yet",
                               got=f"valid from {to_text(self.not_before)}", expected=f"valid at {to_text(now)}",
                               hint="check the clocks of both machines")


def party_uri(role: str, name: str) -> str:
    """Return the URI that names a party in its certificate."""
    return f"sealane://{role}/{name}"


def describe(certificate: x509.Certificate) -> Certificate:
    """Read the party out of a certificate.

    Raises:
        RefusedError: it does not name a party as ours do.
    """
    try:
        name = _single(certificate, NameOID.COMMON_NAME)
        role = _single(certificate, NameOID.ORGANIZATIONAL_UNIT_NAME)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except _UNREADABLE as error:
        raise _malformed(type(error).__name__) from error
    if role not in ROLES or not NAME.fullmatch(name) or uris != [party_uri(role, name)]:
        raise _malformed("a subject and a URI that do not name one party")
    return Certificate(name, role, f"{certificate.serial_number:x}",
                       hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
                       certificate.not_valid_before_utc, certificate.not_valid_after_utc)


@lru_cache(maxsize=1024)
def read_pem(pem: bytes) -> Certificate:
    """Read the first certificate of a PEM text; bounded, and remembered since peers show the same one at every call.

    Raises:
        RefusedError: it is no certificate of ours.
    """
    if len(pem) > MAX_CERTIFICATE_BYTES * MAX_CHAIN:
        raise _malformed(f"{len(pem)} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except _UNREADABLE as error:
        raise _malformed(type(error).__name__) from error
    return describe(certificate)


def read_chain(chain: list[bytes]) -> list[x509.Certificate]:
    """Parse a chain of DER certificates that another party sent.

    Raises:
        ProtocolError: empty, too long, or not certificates.
    """
    if not 1 <= len(chain) <= MAX_CHAIN or any(len(one) > MAX_CERTIFICATE_BYTES for one in chain):
        raise ProtocolError("enrolment.malformed-chain", "certificate chain is out of bounds", got=len(chain),
                            expected=f"1 to {MAX_CHAIN} certificates of at most {MAX_CERTIFICATE_BYTES} bytes")
    try:
        return [x509.load_der_x509_certificate(one) for one in chain]
    except _UNREADABLE as error:
        raise ProtocolError("enrolment.malformed-chain", "certificate chain cannot be read",
                            got=type(error).__name__) from error


def check_issued(leaf: x509.Certificate, ca_pem: bytes, key: Secret, *, name: str, role: str, now: datetime) -> None:
    """Check that a certificate just received is for our key and names, and comes from the authority we trust.

    Raises:
        ProtocolError: it is for another key or party, or another authority signed it.
        RefusedError: it is outside its life.
    """
    seen = describe(leaf)
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ProtocolError("auth.wrong-authority", "the certificate received is not from the invitation's authority",
                            hint="ask the coordinator for a fresh invitation") from error
    if _public_bytes(leaf.public_key()) != _public_bytes(_private_key(key).public_key()):
        raise ProtocolError("enrolment.other-key", "the certificate received is for another key")
    if (seen.name, seen.role) != (name, role):
        raise ProtocolError("enrolment.other-party", "the certificate received names another party",
                            got=f"{seen.role} {seen.name}", expected=f"{role} {name}")
    seen.check_time(now)


def new_tls_key() -> Secret:
    """Return a fresh P-256 private key as PKCS #8 PEM."""
    key = ec.generate_private_key(ec.SECP256R1())  # the operating system's generator, through OpenSSL
    return Secret(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def certificate_request(key: Secret, name: str) -> bytes:
    """Return a PKCS #10 request in DER for a key; the authority decides on the names."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(_private_key(key), SHA256())
    return request.public_bytes(Encoding.DER)


def requested_key(der: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key that a request asks a certificate for, after checking that the asker holds it.

    Raises:
        InputError: too long, not a request, not for P-256, or not signed by its own key.
    """
    if len(der) > MAX_REQUEST_BYTES:
        raise InputError("enrolment.request-too-large", "certificate request is too large", got=len(der),
                         expected=f"at most {MAX_REQUEST_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        signed = request.is_signature_valid
    except (*_UNREADABLE, InvalidSignature) as error:
        raise InputError("enrolment.malformed-request", "certificate request cannot be read",
                         got=type(error).__name__, expected="PKCS #10 in DER") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("enrolment.key-type", "certificate request is for another kind of key",
                         got=type(key).__name__, expected="P-256")
    if not signed:
        raise InputError("enrolment.request-unsigned", "certificate request is not signed by its own key")
    return key


def needs_renewal(certificate: Certificate, now: datetime) -> bool:
    """Tell whether two thirds of a certificate's life are over."""
    life: timedelta = certificate.not_after - certificate.not_before
    return now >= certificate.not_before + life * 2 / 3


def _private_key(key: Secret) -> ec.EllipticCurvePrivateKey:
    try:
        loaded = load_pem_private_key(key.reveal(), None)
    except (ValueError, TypeError) as error:
        # The chained error of the parser stays out: it may quote what it read.
        raise InputError("identity.malformed-key", "TLS key cannot be read", got=type(error).__name__) from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise InputError("identity.malformed-key", "TLS key is of another kind", expected="P-256")
    return loaded


def _public_bytes(key: object) -> bytes | None:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _single(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    values = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]
    if len(values) != 1 or not isinstance(values[0], str):
        raise ValueError("not exactly one")
    return values[0]


def _malformed(got: str) -> RefusedError:
    return RefusedError("auth.certificate-malformed", "the certificate does not name a party of this coordinator",
                        got=got, expected="CN name, OU role and URI sealane://<role>/<name>")
