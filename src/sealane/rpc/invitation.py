"""The invitation: one line of text that a coordinator's operator hands to whoever shall join.

``sealane-invite:v1:`` and the base64url of a canonical JSON object. It holds the one-time token, so it is as secret
as a password until it is used or expires, and it is what the newcomer's trust in the coordinator rests on.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from cryptography import x509

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import Fingerprint, check_fingerprint, check_name
from sealane.core.secret import Secret
from sealane.errors import InputError
from sealane.rpc.certificates import PARTY_ROLES

PREFIX = "sealane-invite:v1:"
MAX_CHARACTERS = 8 << 10
MAX_CA_CHARACTERS = 4 << 10
TOKEN_BYTES = 32

_FIELDS = {"address", "enrolment_address", "ca", "token", "name", "role", "coordinator"}
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a newcomer needs to join one coordinator under one name.

    Attributes:
        address: host:port of the main port.
        enrolment_address: host:port of the enrolment port.
        ca: the authority's certificate, PEM.
        token: one-time, 32 bytes.
        name: the name the newcomer gets.
        role: node, analyst or auditor.
        coordinator: fingerprint of the coordinator's Ed25519 key.
    """

    address: str
    enrolment_address: str
    ca: str
    token: Secret
    name: str
    role: str
    coordinator: Fingerprint

    def to_text(self) -> str:
        """Return the line to hand over; it contains the token."""
        body = {"address": self.address, "ca": self.ca, "coordinator": self.coordinator,
                "enrolment_address": self.enrolment_address, "name": self.name, "role": self.role,
                "token": self.token.reveal().hex()}
        return PREFIX + base64.urlsafe_b64encode(canonical_bytes(body)).decode("ascii").rstrip("=")


def parse_invitation(text: str) -> Invitation:
    """Read an invitation; spaces and line breaks that a mail program put in are dropped.

    Raises:
        InputError: not an invitation, or a part of it is malformed. The token is never quoted.
    """
    if len(text) > 2 * MAX_CHARACTERS:
        raise InputError("invitation.too-large", "invitation is too long", got=len(text),
                         expected=f"at most {MAX_CHARACTERS}")
    line = "".join(text.split())
    if not line.startswith(PREFIX) or len(line) > MAX_CHARACTERS:
        raise _malformed("does not begin as one", f"{PREFIX}…, at most {MAX_CHARACTERS} characters")
    encoded = line.removeprefix(PREFIX)
    try:
        body = parse_canonical(base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, InputError):
        raise _malformed("its text is damaged", "the whole line as printed") from None
    if not isinstance(body, dict) or set(body) != _FIELDS or not all(isinstance(one, str) for one in body.values()):
        raise _malformed("other fields than an invitation's", ", ".join(sorted(_FIELDS)))
    if body["role"] not in PARTY_ROLES:
        raise _malformed(f"role {body['role'][:40]!r}", ", ".join(PARTY_ROLES))
    if not re.fullmatch(r"[0-9a-f]{64}", body["token"]):
        raise _malformed("a malformed token", "64 hex digits")
    return Invitation(
        address=check_address(body["address"]), enrolment_address=check_address(body["enrolment_address"]),
        ca=_check_authority(body["ca"]), token=Secret(bytes.fromhex(body["token"])), name=check_name(body["name"]),
        role=body["role"], coordinator=check_fingerprint(body["coordinator"]))


def check_address(text: str) -> str:
    """Return ``text`` if it is ``host:port`` with a port from 1 to 65535 (IPv6 hosts in brackets).

    Raises:
        InputError: it is not.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= 65535:
        raise InputError("address.malformed", "address is malformed", got=repr(text[:80]), expected="host:port",
                         hint="an IPv6 host goes in brackets: [::1]:7443")
    return text


def _check_authority(pem: str) -> str:
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii")) if len(pem) <= MAX_CA_CHARACTERS else []
    except ValueError:
        certificates = []
    if len(certificates) != 1:
        raise _malformed("no readable authority", f"one PEM certificate of at most {MAX_CA_CHARACTERS} characters")
    return pem


def _malformed(got: str, expected: str) -> InputError:
    return InputError("invitation.malformed", "this is not an invitation", got=got, expected=expected,
                      hint="paste the whole line that `sealane coordinator invite` printed")
