"""The start of an attempt as a node's journal keeps it: who takes part, with which keys."""

from __future__ import annotations

from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import Fingerprint
from sealane.secagg.messages import Member, Start


def write_start(start: Start) -> bytes:
    """Return a start as bytes."""
    members = [[m.fingerprint, m.signing_key.hex(), m.agreement_key.hex(), m.signature.hex()] for m in start.members]
    return canonical_bytes({"attempt": start.attempt, "members": members})


def read_start(run_id: str, data: bytes) -> Start:
    """Read what :func:`write_start` wrote."""
    fields: dict[str, Any] = parse_canonical(data)
    members = tuple(
        Member(Fingerprint(f), bytes.fromhex(s), bytes.fromhex(a), bytes.fromhex(g)) for f, s, a, g in fields["members"]
    )
    return Start(run_id, fields["attempt"], members)
