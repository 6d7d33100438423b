"""Fields of protobuf's wire format, for messages whose long fields are written and read without protobuf.

Source: "Encoding", the description of the wire format in the Protocol Buffers documentation.
"""

from __future__ import annotations

_DELIMITED = 2
"""The wire type of bytes and of messages: a length, then the content."""


def key(number: int) -> bytes:
    """Return what a field of bytes, or with a message, begins with."""
    return varint(number << 3 | _DELIMITED)


def varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first; all but the last have their highest bit set."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def opened(head: bytes, at: int, wanted: bytes) -> tuple[int, int] | None:
    """Return where the content of a field begins and how long it is, or None where that field is not here."""
    if not head.startswith(wanted, at):
        return None
    at += len(wanted)
    size = 0
    for place, byte in enumerate(head[at : at + 5]):  # no frame is longer than 2^35 bytes
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return at + place + 1, size
    return None
