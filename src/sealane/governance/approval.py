"""Approvals and refusals: what one institution signed about one study hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import from_text, to_text
from sealane.core.ids import NAME, fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import InputError, ProtocolError
from sealane.governance.study import Study

APPROVAL_KIND = "application/vnd.sealane.approval+json"
REFUSAL_KIND = "application/vnd.sealane.refusal+json"
APPROVAL_VERSION = "sealane.approval/v1"
REFUSAL_VERSION = "sealane.refusal/v1"
MAXIMUM_BYTES = 4096
MAXIMUM_REASON = 500
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Approval:
    """One institution's yes to one study, for one version of one dataset.

    Attributes:
        study: study hash, hex.
        node: the institution's name in the study.
        fingerprint: of the key that signs.
        dataset: name of the dataset at that node.
        dataset_version: its SHA-256 version, hex.
        waives_differencing: whether sums may be opened from which this institution's own contribution follows.
        approved_at: RFC 3339, UTC.
    """

    study: str
    node: str
    fingerprint: str
    dataset: str
    dataset_version: str
    waives_differencing: bool
    approved_at: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One institution's no, or its revocation of an earlier yes.

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


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """Canonical bytes of an approval, the key that signed them, and the signature."""

    body: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedRefusal:
    """Canonical bytes of a refusal, the key that signed them, and the signature."""

    body: bytes
    public_key: bytes
    signature: bytes


def sign_approval(key: SigningKey, approval: Approval) -> SignedApproval:
    """Sign an approval with the institution's own key."""
    body = canonical_bytes({"version": APPROVAL_VERSION} | _fields(approval))
    return SignedApproval(body, key.public_key, key.sign(APPROVAL_KIND, body))


def sign_refusal(key: SigningKey, refusal: Refusal) -> SignedRefusal:
    """Sign a refusal with the institution's own key."""
    body = canonical_bytes({"version": REFUSAL_VERSION} | _fields(refusal))
    return SignedRefusal(body, key.public_key, key.sign(REFUSAL_KIND, body))


def verify_approval(signed: SignedApproval, study: Study) -> Approval:
    """Return what a participant of ``study`` approved.

    Raises:
        ProtocolError: the signature, the form, the study hash or the signer is wrong.
    """
    verify(signed.public_key, APPROVAL_KIND, signed.body, signed.signature)
    fields = _parse("approval", signed.body, APPROVAL_VERSION, Approval)
    approval = Approval(**fields)
    if not NAME.fullmatch(approval.dataset) or not _HASH.fullmatch(approval.dataset_version):
        raise ProtocolError("approval.malformed", "approval names no dataset version",
                            expected="a name and 64 hex digits")
    _check_signer("approval", study, approval.study, approval.node, approval.fingerprint, signed.public_key)
    _check_moment("approval", approval.approved_at)
    return approval


def verify_refusal(signed: SignedRefusal, study: Study) -> Refusal:
    """Return what a participant of ``study`` refused.

    Raises:
        ProtocolError: the signature, the form, the study hash or the signer is wrong.
    """
    verify(signed.public_key, REFUSAL_KIND, signed.body, signed.signature)
    fields = _parse("refusal", signed.body, REFUSAL_VERSION, Refusal)
    refusal = Refusal(**fields)
    if len(refusal.reason) > MAXIMUM_REASON:
        raise ProtocolError("refusal.malformed", "the reason is too long", got=f"{len(refusal.reason)} characters",
                            expected=f"at most {MAXIMUM_REASON}")
    _check_signer("refusal", study, refusal.study, refusal.node, refusal.fingerprint, signed.public_key)
    _check_moment("refusal", refusal.refused_at)
    return refusal


def claimed_study(signed: SignedApproval | SignedRefusal) -> str:
    """Return the hash of the study that a statement says it is about; nothing is verified yet.

    Raises:
        ProtocolError: the body is not canonical, or names no study.
    """
    try:
        content = parse_canonical(signed.body, limit=MAXIMUM_BYTES)
    except InputError as error:
        raise ProtocolError("statement.malformed", "a statement is not a canonical document", got=error.code) from error
    study = content.get("study") if isinstance(content, dict) else None
    if not isinstance(study, str) or not _HASH.fullmatch(study):
        raise ProtocolError("statement.malformed", "a statement names no study", expected="64 hex digits")
    return study


def _fields(value: Approval | Refusal) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def _parse(what: str, body: bytes, version: str, shape: type[Approval] | type[Refusal]) -> dict[str, Any]:
    """Return the fields of a body whose names and types are exactly those of ``shape``."""
    try:
        content = parse_canonical(body, limit=MAXIMUM_BYTES)
    except InputError as error:
        raise ProtocolError(f"{what}.malformed", f"{what} is not a canonical document", got=error.code) from error
    expected = {name: bool if name == "waives_differencing" else str for name in shape.__dataclass_fields__}
    if not isinstance(content, dict) or content.pop("version", None) != version:
        raise ProtocolError(f"{what}.malformed", f"{what} has another version", expected=version)
    if {name: type(value) for name, value in content.items()} != expected:
        raise ProtocolError(f"{what}.malformed", f"{what} has missing, unknown or mistyped fields",
                            got=", ".join(sorted(content))[:200], expected=", ".join(sorted(expected)))
    return content


def _check_signer(what: str, study: Study, study_hash: str, node: str, claimed: str, public_key: bytes) -> None:
    if study_hash != study.hash:
        raise ProtocolError(f"{what}.other-study", f"{what} is for another study", got=study_hash[:64],
                            expected=study.hash)
    party = study.participant(node)
    if party is None:
        raise ProtocolError(f"{what}.not-a-participant", f"{what} comes from no participant of the study",
                            got=repr(node[:63]))
    if not party.fingerprint == claimed == fingerprint(public_key):
        raise ProtocolError(f"{what}.wrong-key", f"{what} is signed by another key than the study names for {node}",
                            got=fingerprint(public_key), expected=party.fingerprint)


def _check_moment(what: str, text: str) -> None:
    try:
        legal = to_text(from_text(text)) == text
    except (ValueError, OverflowError):
        legal = False
    if not legal:
        raise ProtocolError(f"{what}.malformed", f"{what} carries no moment in RFC 3339", got=repr(text[:40]))
