"""What a leaf of the audit log says: who did what, when, about what. Never data.

The leaf is the RFC 8785 form of these fields. Kinds are a closed set: an unknown one is refused, at the log and by
whoever reads a leaf.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sealane.audit.merkle import leaf_hash
from sealane.core.canonical import canonical_bytes, parse_canonical, sha256
from sealane.core.clock import is_moment
from sealane.errors import InputError, ProtocolError

VERSION = "sealane.audit-entry/v1"
MAXIMUM_BYTES = 1 << 12
MAXIMUM_DETAIL = 2000
KINDS = frozenset({
    "coordinator.started", "party.enrolled", "party.quarantined", "party.reinstated", "party.removed",
    "node.connected", "node.disconnected", "node.turned-away", "node.protocol-error", "node.acts",
    "study.proposed", "study.approved", "study.refused", "study.countered",
    "agreement.requested", "agreement.offered", "agreement.accepted", "agreement.agreed", "agreement.verified",
    "agreement.finalized", "agreement.terminated", "agreement.suspended", "agreement.resumed", "agreement.exhausted",
    "agreement.signed", "agreement.revoked", "agreement.expired",
    "catalog.published", "catalog.withdrawn", "catalog.refused", "dataset.profiled", "dataset.stale",
    "dataset.registered", "dataset.graded", "dataset.published", "dataset.withdrawn",
    "run.proposed", "run.admitted", "run.running", "run.paused", "run.releasing", "run.completed", "run.aborted",
    "run.cohort", "run.endorsed", "run.refused", "round.released", "budget.reserved", "budget.charged",
    "budget.voided", "ledger.head", "node.quarantined", "node.reinstated", "call.refused", "settlement.signed",
    "score.granted", "score.accepted", "score.ended", "score.asked", "score.answered",
})
_FIELDS = ("at", "kind", "party", "subject", "detail")


@dataclass(frozen=True, slots=True)
class Entry:
    """One act.

    Attributes:
        at: RFC 3339, UTC.
        kind: one of :data:`KINDS`.
        party: name of who acted.
        subject: hash or id of what it is about.
        detail: a hash, a code or a few words.
    """

    at: str
    kind: str
    party: str
    subject: str
    detail: str = ""

    def canonical(self) -> bytes:
        """Return the leaf's bytes.

        Raises:
            InputError: a field is too long, or the kind unknown.
        """
        _check(self)
        return canonical_bytes({"version": VERSION} | {name: getattr(self, name) for name in _FIELDS})

    @property
    def hash(self) -> bytes:
        """Return the leaf hash."""
        return leaf_hash(self.canonical())


def parse_entry(data: bytes) -> Entry:
    """Read a leaf's bytes.

    Raises:
        InputError: not canonical, too long, or of an unknown kind.
    """
    value: Any = parse_canonical(data, limit=MAXIMUM_BYTES)
    if not isinstance(value, dict) or value.keys() != {"version", *_FIELDS} or value["version"] != VERSION:
        raise InputError("audit.entry-malformed", "an entry has other fields than an entry has")
    if not all(isinstance(value[name], str) for name in _FIELDS):
        raise InputError("audit.entry-malformed", "an entry's fields are texts")
    entry = Entry(*(value[name] for name in _FIELDS))
    _check(entry)
    return entry


def statement_digest(body: bytes, public_key: bytes, signature: bytes) -> str:
    """Return what the leaf of an approval or a refusal says of it: a hash over all that was signed."""
    return sha256(b"sealane audit statement v1", body, public_key, signature).hex()


def cohort_detail(attempt: int, study_hash: str, members: Sequence[tuple[str, bytes, bytes]]) -> str:
    """Return what the leaf of an attempt's cohort says.

    Args:
        attempt: its number.
        study_hash: of the study, hex.
        members: fingerprint, agreement key and signature of each, in order.
    """
    parts = [part for f, key, signature in members for part in (f.encode(), key, signature)]
    digest = sha256(b"sealane audit cohort v1", study_hash.encode(), str(attempt).encode(), *parts).hex()
    return f"attempt {attempt} of {len(members)} members {digest}"


def endorsed_detail(attempt: int, result_hash: bytes) -> str:
    """Return what the leaf of an endorsed result says."""
    return f"attempt {attempt} {result_hash.hex()}"


def acts_detail(count: int, root: bytes) -> str:
    """Return what the leaf of a node's own acts says: how many, and the root over them."""
    return f"{count} acts {root.hex()}"


def parse_acts(detail: str) -> tuple[int, bytes]:
    """Read what :func:`acts_detail` wrote.

    Raises:
        ProtocolError: it did not.
    """
    count, _, root = detail.partition(" acts ")
    if not count.isascii() or not count.isdigit() or len(count) > 18 or not re.fullmatch("[0-9a-f]{64}", root):
        raise ProtocolError("audit.acts-malformed", "a leaf of a node's acts is malformed", got=repr(detail[:100]))
    return int(count), bytes.fromhex(root)


def _check(entry: Entry) -> None:
    if entry.kind not in KINDS:
        raise InputError("audit.unknown-kind", "no such kind of act", got=repr(entry.kind[:64]))
    if (not is_moment(entry.at) or len(entry.party) > 63 or len(entry.subject) > 64
            or len(entry.detail) > MAXIMUM_DETAIL):
        raise InputError("audit.entry-malformed", "a field of an entry is malformed or too long", got=entry.kind,
                         expected=f"a moment in UTC, and at most {MAXIMUM_DETAIL} characters of detail")


def check_same(expected: Entry, found: Entry) -> None:
    """Refuse an entry that is about something else; its moment is the log's business.

    Raises:
        ProtocolError: a field differs.
    """
    wanted, got = (expected.kind, expected.party, expected.subject, expected.detail), (
        found.kind, found.party, found.subject, found.detail)
    if wanted != got:
        raise ProtocolError("audit.other-act", "the log holds another act than was asked for", got=" ".join(got)[:200],
                            expected=" ".join(wanted)[:200])
