r"""C2SP signed notes: a text, a blank line, and one line for each signature.

A line is ``— NAME BASE64``, whose bytes are four of key id and the signature. A key's id is the beginning of
SHA-256(name ‖ \n ‖ type ‖ public key). Lines of unknown keys are let be, as the specification asks.

Source: C2SP signed-note v1.0.0, "Format", "Signatures" (types 0x01 Ed25519 and 0x04 timestamped cosignature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from sealane.errors import ProtocolError

ED25519 = 1
COSIGNATURE_V1 = 4
MAXIMUM_BYTES = 1 << 18
MAXIMUM_SIGNATURES = 1100
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,128}")
_LINE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that may sign notes: its name, type and 32 raw bytes."""

    name: str
    kind: int
    public_key: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.public_key) != 32 or self.kind not in (ED25519, COSIGNATURE_V1):
            raise _malformed("a note key is malformed", repr(self.name[:60]))

    @property
    def id(self) -> bytes:
        """Return the key id: four bytes."""
        whole = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return hashlib.sha256(whole).digest()[:4]

    def to_text(self) -> str:
        """Return the key as the specification writes it: name, id and key, joined by plus signs."""
        encoded = base64.b64encode(bytes([self.kind]) + self.public_key).decode("ascii")
        return f"{self.name}+{self.id.hex()}+{encoded}"


def parse_key(text: str) -> NoteKey:
    """Read what :meth:`NoteKey.to_text` wrote.

    Raises:
        ProtocolError: malformed, or its id is not that of its name and key.
    """
    parts = text.split("+", 2)
    raw = unbase64(parts[2]) if len(parts) == 3 else b""
    if len(raw) != 33:
        raise _malformed("a note key is malformed", repr(text[:60]))
    key = NoteKey(parts[0], raw[0], raw[1:])
    if parts[1] != key.id.hex():
        raise _malformed("a note key's id is not its own", parts[1][:8])
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One line of a note."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        """Return the line, its end included."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, its last line's end included, and the signatures on it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the whole note."""
        return (self.text + "\n" + "".join(s.line() for s in self.signatures)).encode()

    def by(self, key: NoteKey) -> list[bytes]:
        """Return the signatures that claim to be by a key; they are not verified here."""
        return [s.value for s in self.signatures if (s.name, s.key_id) == (key.name, key.id)]


def parse_note(data: bytes) -> Note:
    """Read a note.

    Raises:
        ProtocolError: too long, not UTF-8, control characters, no signature, or a malformed line.
    """
    if len(data) > MAXIMUM_BYTES:
        raise _malformed("a note is too long", f"{len(data)} bytes", f"at most {MAXIMUM_BYTES}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a note is not UTF-8", "other bytes") from None
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or any(ord(c) < 32 and c != "\n" for c in whole):
        raise _malformed("a note has no signatures, or control characters", f"{len(data)} bytes")
    return Note(text + "\n", tuple(parse_line(line) for line in lines[:-1].split("\n", MAXIMUM_SIGNATURES)))


def parse_line(line: str) -> Signature:
    """Read one signature line, without its end.

    Raises:
        ProtocolError: malformed.
    """
    found = _LINE.fullmatch(line)
    raw = unbase64(found[2]) if found else b""
    if found is None or not _NAME.fullmatch(found[1]) or not 5 <= len(raw) <= 200:
        raise _malformed("a signature line is malformed", f"{len(line)} characters")
    return Signature(found[1], raw[:4], raw[4:])


def unbase64(text: str) -> bytes:
    """Read standard base64, and refuse any other spelling of the same bytes.

    Raises:
        ProtocolError: it is not.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise _malformed("not base64", f"{len(text)} characters") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise _malformed("base64 is not in its one canonical spelling", f"{len(text)} characters")
    return raw


def _malformed(message: str, got: object, expected: object = None) -> ProtocolError:
    return ProtocolError("audit.note-malformed", message, got=got, expected=expected)
