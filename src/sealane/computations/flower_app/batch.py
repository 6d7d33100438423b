"""What goes into one letter between the halves of an app: messages one behind another, or that the app is over.

All lengths are checked before a message is parsed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from sealane.errors import ProtocolError

MOST_MESSAGES = 1000
"""In one letter: what a server half asks one node at once."""
_LENGTH = struct.Struct("<Q")
_MESSAGES, _OVER = b"\x01", b"\x02"


@dataclass(frozen=True, slots=True)
class Over:
    """The server half has ended, and this is what it released."""

    payload: bytes = field(repr=False)


def write_messages(messages: Sequence[bytes]) -> bytes:
    """Return messages as one letter."""
    return b"".join((_MESSAGES, *(part for one in messages for part in (_LENGTH.pack(len(one)), one))))


def write_over(payload: bytes) -> bytes:
    """Return the letter that says that the app is over."""
    return _OVER + payload


def read(letter: bytes, most: int) -> list[bytes] | Over:
    """Return the messages in a letter, or that the app is over; an empty letter holds none.

    Raises:
        ProtocolError: it is malformed, or a message is longer than the study allows.
    """
    if letter[:1] == _OVER:
        return Over(letter[1:])
    if not letter:
        return []
    found: list[bytes] = []
    at = 1
    while letter[:1] == _MESSAGES and at < len(letter) and len(found) < MOST_MESSAGES:
        if at + _LENGTH.size > len(letter):
            break
        (length,) = _LENGTH.unpack_from(letter, at)
        at += _LENGTH.size
        if length > most:
            raise too_large(length, most)
        if length > len(letter) - at:
            break
        found.append(letter[at : at + length])
        at += length
    if at != len(letter):
        raise ProtocolError("flower.letter-malformed", "what the other half of the app sent is malformed",
                            got=f"{len(letter)} bytes")
    return found


def too_large(length: int, most: int) -> ProtocolError:
    """Return the error for a message that is longer than the study allows."""
    return ProtocolError("flower.message-too-large", "a message of the app is too large", got=f"{length} bytes",
                         expected=f"at most {most}", hint="parameters.message_bytes of the study")
