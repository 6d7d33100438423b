"""Parcels between two nodes: signed over kind, recipient, subject and body, so that none passes for another."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass, field

from sealane.core.canonical import canonical_bytes, sha256
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SIGNATURE_BYTES, SigningKey, verify
from sealane.errors import BRANCHES, ProtocolError, SealaneError, from_dict
from sealane.governance.scoring_grant import Signed
from sealane.rpc.error_detail import clean
from sealane.rpc.notices import PARCEL_KINDS, Parcel

KIND = "application/vnd.sealane.parcel"
_LENGTHS = struct.Struct(">II")  # acceptance, public key
_CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z0-9-]+)+")
_LONGEST_CODE = 100


def make_parcel(key: SigningKey, recipient: Fingerprint, kind: str, subject: bytes, body: bytes) -> Parcel:
    """Sign a parcel to another node."""
    signature = key.sign(KIND, _signed(recipient, kind, subject, body))
    return Parcel(recipient, kind, subject, body, key.public_key, signature)


def open_parcel(parcel: Parcel, own: Fingerprint) -> Fingerprint:
    """Return who sent a parcel.

    Raises:
        ProtocolError: its signature does not verify, or it is for another node.
    """
    if parcel.recipient != own:
        raise ProtocolError("parcel.for-another", "a parcel is for another node", got=parcel.recipient, expected=own)
    verify(parcel.public_key, KIND, _signed(parcel.recipient, parcel.kind, parcel.subject, parcel.body),
           parcel.signature)
    return fingerprint(parcel.public_key)


def _signed(recipient: Fingerprint, kind: str, subject: bytes, body: bytes) -> bytes:
    return sha256(b"sealane parcel v1", recipient.encode(), kind.encode(), subject, hashlib.sha256(body).digest())


@dataclass(frozen=True, slots=True)
class Request:
    """The body of a request.

    Attributes:
        acceptance: the asker's, so that the owner needs no other message for its consent.
        public: the asker's public key of CKKS.
        features: its encrypted columns.
    """

    acceptance: Signed
    public: bytes = field(repr=False)
    features: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the body."""
        accepted = self.acceptance.to_bytes()
        return b"".join((_LENGTHS.pack(len(accepted), len(self.public)), accepted, self.public, self.features))


def read_request(body: bytes) -> Request:
    """Read a request's body.

    Raises:
        ProtocolError: it is malformed.
    """
    if len(body) >= _LENGTHS.size:
        accepted, public = _LENGTHS.unpack_from(body)
        first, second = _LENGTHS.size + accepted, _LENGTHS.size + accepted + public
        if SIGNATURE_BYTES < accepted <= PARCEL_KINDS["acceptance"] and second < len(body):
            return Request(Signed.from_bytes(body[_LENGTHS.size:first]), body[first:second], body[second:])
    raise ProtocolError("score.request-malformed", "a request for scores is malformed", got=f"{len(body)} bytes")


def subject_of(body: bytes) -> bytes:
    """Return what a request is known by: the hash of its bytes, so that the same bytes are the same request."""
    return sha256(b"sealane score request v1", body)


def write_refusal(error: SealaneError) -> bytes:
    """Write why a request is refused."""
    return canonical_bytes({name: None if text is None else clean(text) for name, text in error.to_dict().items()})


def read_refusal(body: bytes) -> SealaneError:
    """Read why a request was refused, in another party's words: bounded and printable.

    Raises:
        ProtocolError: it is malformed.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not all(isinstance(text, str | None) for text in fields.values()) or (
            fields.keys() != {"branch", "code", "message", "got", "expected", "hint"}
            or fields["branch"] not in BRANCHES
            or not _CODE.fullmatch((fields["code"] or "")[:_LONGEST_CODE])):
        raise ProtocolError("score.refusal-malformed", "a refusal of scores is malformed", got=f"{len(body)} bytes")
    return from_dict({name: None if text is None else clean(text) for name, text in fields.items()})
