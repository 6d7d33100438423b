"""What a party signs to enrol and to renew: canonical bytes that name the keys, the request and the coordinator.

Both bind the coordinator's fingerprint, so that a proof made for one coordinator is of no use at another.
"""

from __future__ import annotations

import hashlib

from sealane.core.canonical import canonical_bytes

ENROLMENT_KIND = "application/vnd.sealane.enrolment+json"
RENEWAL_KIND = "application/vnd.sealane.renewal+json"


def token_hash(token: bytes) -> bytes:
    """Return SHA-256 of a token: what the coordinator keeps, and what proofs name."""
    return hashlib.sha256(b"sealane invitation token v1\x00" + token).digest()


def enrolment_body(token: bytes, request: bytes, signing_key: bytes, sealing_key: bytes, coordinator: str) -> bytes:
    """Return what the newcomer's signing key signs."""
    return canonical_bytes({
        "certificate_request": hashlib.sha256(request).hexdigest(),
        "coordinator": coordinator,
        "sealing_key": sealing_key.hex(),
        "signing_key": signing_key.hex(),
        "token": token_hash(token).hex(),
    })


def renewal_body(request: bytes, serial: str, coordinator: str) -> bytes:
    """Return what a party's signing key signs to renew the certificate with this serial."""
    return canonical_bytes({
        "certificate_request": hashlib.sha256(request).hexdigest(),
        "coordinator": coordinator,
        "serial": serial,
    })
