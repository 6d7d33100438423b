"""When a checkpoint counts: the log signed it, and more than (n + c)/2 of n witnesses cosigned it.

Two such sets of witnesses have more than c in common, so at least one honest witness is in both; it never cosigns two
logs that do not continue each other. So of two forks at most one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealane.audit.checkpoint import Checkpoint, verify_checkpoint, verify_cosignature, witness_of
from sealane.audit.note import COSIGNATURE_V1, ED25519, Note, NoteKey, parse_key
from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import Fingerprint, fingerprint
from sealane.errors import InputError, ProtocolError, SealaneError

VERSION = "sealane.audit-policy/v1"


@dataclass(frozen=True, slots=True)
class Policy:
    """Who signs a log, who may cosign it, and how many of them may lie.

    Attributes:
        log: the log's key.
        witnesses: keys by fingerprint.
        colluding: how many witnesses may collude with the log (c).
    """

    log: NoteKey
    witnesses: Mapping[Fingerprint, NoteKey]
    colluding: int

    @property
    def quorum(self) -> int:
        """Return the fewest cosignatures under which a checkpoint counts."""
        return (len(self.witnesses) + self.colluding) // 2 + 1

    def cosigners(self, note: Note) -> dict[Fingerprint, int]:
        """Return which witnesses cosigned and when; lines that do not verify do not count."""
        found: dict[Fingerprint, int] = {}
        for line in note.signatures:
            witness = witness_of(line)
            key = self.witnesses.get(witness) if witness is not None else None
            if witness is None or key is None or line.key_id != key.id:
                continue
            try:
                found[witness] = verify_cosignature(note.text, key, line.value)
            except ProtocolError:
                continue
        return found

    def check(self, note: Note) -> Checkpoint:
        """Return the checkpoint if it counts.

        Raises:
            ProtocolError: the log did not sign it, or too few witnesses did.
        """
        checkpoint = verify_checkpoint(note, self.log)
        found = len(self.cosigners(note))
        if found < self.quorum:
            raise ProtocolError("audit.no-quorum", "too few witnesses cosigned the checkpoint", got=found,
                                expected=f"at least {self.quorum} of {len(self.witnesses)}",
                                hint="more than (n + c)/2 must have seen the same log")
        return checkpoint

    def to_bytes(self) -> bytes:
        """Return the policy as a file's bytes: canonical JSON of keys in the form of signed notes."""
        return canonical_bytes({"version": VERSION, "log": self.log.to_text(), "colluding": self.colluding,
                                "witnesses": [key.to_text() for _, key in sorted(self.witnesses.items())]})


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        InputError: it is no policy.
    """
    try:
        value: Any = parse_canonical(data.strip())
        if value.keys() != {"version", "log", "colluding", "witnesses"} or value["version"] != VERSION:
            raise _malformed()
        keys, colluding = [parse_key(text) for text in value["witnesses"]], value["colluding"]
        log = parse_key(value["log"])
    except (AttributeError, TypeError, SealaneError):
        raise _malformed() from None
    witnesses = {fingerprint(key.public_key): key for key in keys}
    if (log.kind != ED25519 or any(key.kind != COSIGNATURE_V1 for key in keys) or type(colluding) is not int
            or len(witnesses) != len(keys) or not 0 <= colluding < max(len(keys), 1)):
        raise _malformed()
    return Policy(log, witnesses, colluding)


def _malformed() -> InputError:
    return InputError("audit.policy-malformed", "the file is no policy of an audit log",
                      expected="what `sealane audit policy` writes")
