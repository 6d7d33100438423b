"""Signed statements about one study: an agreement, a refusal, a counter-offer. Each is a DSSE envelope.

A statement travels as payload, key and signature; :func:`envelope` writes the same as DSSE's JSON for files. The
signature covers DSSE's pre-authentication encoding of (payloadType, payload), so one kind never passes for another.

Source: DSSE v1, "Envelope" and "Protocol".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import is_moment
from sealane.core.ids import fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import InputError, ProtocolError
from sealane.governance.dsse import read_dsse, write_dsse
from sealane.governance.study import Study

MAXIMUM_BYTES = 1 << 15
MAXIMUM_REASON = 500
REFUSAL_VERSION = "sealane.refusal/v1"
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SignedAgreement:
    """Canonical bytes of an agreement, the key that signed them, and the signature."""

    kind: ClassVar[str] = "application/vnd.sealane.agreement+json"
    body: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedRefusal:
    """Canonical bytes of a refusal, the key that signed them, and the signature."""

    kind: ClassVar[str] = "application/vnd.sealane.refusal+json"
    body: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedCounter:
    """Canonical bytes of a counter-offer, the key that signed them, and the signature."""

    kind: ClassVar[str] = "application/vnd.sealane.counter-offer+json"
    body: bytes
    public_key: bytes
    signature: bytes


Statement = SignedAgreement | SignedRefusal | SignedCounter
ACTS = {SignedAgreement.kind: "study.approved", SignedRefusal.kind: "study.refused",
        SignedCounter.kind: "study.countered"}
"""What the audit log calls the signing of each kind."""
KINDS: dict[str, type[Statement]] = {shape.kind: shape for shape in (SignedAgreement, SignedRefusal, SignedCounter)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One institution's no, or its revocation of an agreement.

    Attributes:
        study: study hash, hex.
        node: the institution's name in the study.
        fingerprint: of the key that signs.
        reason: for people; at most 500 characters.
        refused_at: RFC 3339, UTC.
    """

    study: str
    node: str
    fingerprint: str
    reason: str
    refused_at: str


def sign_refusal(key: SigningKey, refusal: Refusal) -> SignedRefusal:
    """Sign a refusal with the institution's own key."""
    fields = {name: getattr(refusal, name) for name in Refusal.__dataclass_fields__}
    body = canonical_bytes({"version": REFUSAL_VERSION} | fields)
    return SignedRefusal(body, key.public_key, key.sign(SignedRefusal.kind, body))


def verify_refusal(signed: SignedRefusal, study: Study) -> Refusal:
    """Return what a participant of ``study`` refused.

    Raises:
        ProtocolError: the signature, the form, the study hash or the signer is wrong.
    """
    content = verified_document(signed)
    expected = dict.fromkeys(Refusal.__dataclass_fields__, str)
    if content.pop("version", None) != REFUSAL_VERSION or {k: type(v) for k, v in content.items()} != expected:
        raise ProtocolError("refusal.malformed", "a refusal has missing, unknown or mistyped fields",
                            got=", ".join(sorted(content))[:200], expected=", ".join(sorted(expected)))
    refusal = Refusal(**content)
    if len(refusal.reason) > MAXIMUM_REASON:
        raise ProtocolError("refusal.malformed", "the reason is too long", got=f"{len(refusal.reason)} characters",
                            expected=f"at most {MAXIMUM_REASON}")
    check_signer(study, refusal.study, refusal.node, refusal.fingerprint, signed.public_key)
    check_moment(refusal.refused_at)
    return refusal


def verified_document(signed: Statement) -> dict[str, Any]:
    """Return the document of a statement whose signature holds and whose bytes are canonical.

    Raises:
        ProtocolError: the signature does not verify, or the bytes are no canonical JSON object.
    """
    verify(signed.public_key, signed.kind, signed.body, signed.signature)
    return _document(signed)


def claimed_study(signed: Statement) -> str:
    """Return the hash of the study that a statement says it is about; nothing is verified yet.

    Raises:
        ProtocolError: the body is not canonical, or names no study.
    """
    content = _document(signed)
    study = content.get("study")
    if isinstance(signed, SignedAgreement):
        pid = content.get("consumerPid")
        study = pid.removeprefix("urn:sealane:study:") if isinstance(pid, str) else None
    if not isinstance(study, str) or not _HASH.fullmatch(study):
        raise ProtocolError("statement.malformed", "a statement names no study", expected="64 hex digits")
    return study


def check_signer(study: Study, study_hash: str, node: str, claimed: str, public_key: bytes) -> None:
    """Check that a statement is about ``study`` and signed by the participant it names.

    Raises:
        ProtocolError: another study, no participant, or another key.
    """
    if study_hash != study.hash:
        raise ProtocolError("statement.other-study", "a statement is about another study", got=study_hash[:64],
                            expected=study.hash)
    party = study.participant(node)
    if party is None:
        raise ProtocolError("statement.not-a-participant", "a statement comes from no participant of the study",
                            got=repr(node[:63]))
    if not party.fingerprint == claimed == fingerprint(public_key):
        raise ProtocolError("statement.wrong-key",
                            f"a statement is signed by another key than the study names for {node}",
                            got=fingerprint(public_key), expected=party.fingerprint)


def check_moment(text: str) -> None:
    """Check that a text is a moment as :func:`sealane.core.clock.to_text` writes it.

    Raises:
        ProtocolError: it is not.
    """
    if not is_moment(text):
        raise ProtocolError("statement.malformed", "a statement carries no moment in RFC 3339", got=repr(text[:40]))


def envelope(signed: Statement) -> dict[str, Any]:
    """Return a statement as a DSSE envelope, JSON-ready; the key beside it lets a file be verified by itself."""
    return {**write_dsse(signed.kind, signed.body, [(fingerprint(signed.public_key), signed.signature)]),
            "publicKey": signed.public_key.hex()}


def read_envelope(data: bytes) -> Statement:
    """Read what :func:`envelope` describes; its signature is checked by whoever uses it.

    Raises:
        ProtocolError: too large, not such an envelope, or of an unknown payload type.
    """
    if len(data) > 2 * MAXIMUM_BYTES:
        raise ProtocolError("statement.malformed", "an envelope is too large", got=f"{len(data)} bytes")
    try:
        content = json.loads(data)
        kind, body, ((_, signature),) = read_dsse(content)
        return KINDS[kind](body, bytes.fromhex(content["publicKey"]), signature)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError("statement.malformed", "a file holds no envelope of a statement",
                            got=type(error).__name__, expected="a DSSE envelope with one signature") from error


def _document(signed: Statement) -> dict[str, Any]:
    try:
        content = parse_canonical(signed.body, limit=MAXIMUM_BYTES)
    except InputError as error:
        raise ProtocolError("statement.malformed", "a statement is not a canonical document", got=error.code) from error
    if not isinstance(content, dict):
        raise ProtocolError("statement.malformed", "a statement is not an object", got=type(content).__name__)
    return content
