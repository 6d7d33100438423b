"""Checkpoints of the log, and the cosignatures of witnesses on them.

Source: C2SP tlog-checkpoint v1.0.0 (origin, size, root), C2SP tlog-cosignature v1.0.0 (``cosignature/v1``, a moment and
the checkpoint's text).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from sealane.audit.merkle import HASH_BYTES, LARGEST_SIZE
from sealane.audit.note import COSIGNATURE_V1, ED25519, Note, NoteKey, Signature, unbase64
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SigningKey, verify_note
from sealane.errors import ProtocolError

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: how many leaves it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text; a log of ours has no extension lines.

    Raises:
        ProtocolError: malformed.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]) or int(lines[1]) > LARGEST_SIZE:
        raise _malformed("a checkpoint is not an origin, a size and a root", f"{len(lines) - 1} lines")
    root = unbase64(lines[2])
    if len(root) != HASH_BYTES:
        raise _malformed("a checkpoint's root has the wrong length", f"{len(root)} bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


def log_key(public_key: bytes) -> NoteKey:
    """Return the key under which a coordinator signs checkpoints; its name is the log's origin."""
    return NoteKey(f"sealane.log/{fingerprint(public_key)}", ED25519, public_key)


def witness_key(public_key: bytes) -> NoteKey:
    """Return the key under which a node cosigns."""
    return NoteKey(f"sealane.node/{fingerprint(public_key)}", COSIGNATURE_V1, public_key)


def witness_of(signature: Signature) -> Fingerprint | None:
    """Return whose cosignature a line claims to be; None where it is no node's."""
    prefix, _, name = signature.name.partition("/")
    return Fingerprint(name) if prefix == "sealane.node" else None


def sign_checkpoint(key: SigningKey, size: int, root: bytes) -> Note:
    """Return a signed checkpoint."""
    own = log_key(key.public_key)
    text = Checkpoint(own.name, size, root).text()
    return Note(text, (Signature(own.name, own.id, key.sign_note(text.encode())),))


def verify_checkpoint(note: Note, key: NoteKey) -> Checkpoint:
    """Return a checkpoint that the log signed.

    Raises:
        ProtocolError: another log's, malformed, or its signature does not verify.
    """
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name:
        raise ProtocolError("audit.other-log", "the checkpoint is of another log", got=checkpoint.origin[:80],
                            expected=key.name)
    found = note.by(key)
    if len(found) != 1:
        raise ProtocolError("audit.not-signed", "the log's signature is not on the checkpoint", got=len(found),
                            expected=1)
    verify_note(key.public_key, note.text.encode(), found[0])
    return checkpoint


def cosign(key: SigningKey, text: str, at: int) -> Signature:
    """Return a witness's signature line over a checkpoint; ``at`` in seconds since 1970."""
    own = witness_key(key.public_key)
    return Signature(own.name, own.id, at.to_bytes(8, "big") + key.sign_note(_cosigned(text, at)))


def verify_cosignature(text: str, key: NoteKey, value: bytes) -> int:
    """Return when a witness cosigned.

    Raises:
        ProtocolError: its signature does not verify.
    """
    if len(value) != 72:
        raise _malformed("a cosignature has the wrong length", f"{len(value)} bytes", "72 bytes")
    at = int.from_bytes(value[:8], "big")
    verify_note(key.public_key, _cosigned(text, at), value[8:])
    return at


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _malformed(message: str, got: object, expected: object = None) -> ProtocolError:
    return ProtocolError("audit.checkpoint-malformed", message, got=got, expected=expected)
