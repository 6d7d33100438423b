"""Frames between a node and its child: a canonical JSON header and a body of raw bytes, both of bounded length.

``u32 length of the header ‖ u64 length of the body ‖ header ‖ body``, little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.errors import InputError, ProtocolError

MAXIMUM_HEADER = 1 << 20
PREFIX = struct.Struct("<IQ")
Body = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes:
        kind: what it is.
        fields: what else the header says.
        body: raw bytes; what they mean follows from the fields.
    """

    kind: str
    fields: dict[str, Any]
    body: Body = b""


def write_head(frame: Frame) -> bytes:
    """Return all of a frame but its body."""
    header = canonical_bytes({"kind": frame.kind, **frame.fields})
    if len(header) > MAXIMUM_HEADER:
        raise ProtocolError("sandbox.frame-too-large", "a frame's header is too large", got=f"{len(header)} bytes",
                            expected=f"at most {MAXIMUM_HEADER}")
    return PREFIX.pack(len(header), len(frame.body)) + header


def read_prefix(prefix: bytes, largest_body: int) -> tuple[int, int]:
    """Return the lengths of header and body.

    Raises:
        ProtocolError: more than may be sent.
    """
    header, body = PREFIX.unpack(prefix)
    if not 2 <= header <= MAXIMUM_HEADER or body > largest_body:
        raise ProtocolError("sandbox.frame-too-large", "a frame is larger than the computation may send",
                            got=f"{header} and {body} bytes", expected=f"at most {MAXIMUM_HEADER} and {largest_body}")
    return header, body


def read_header(header: bytes, body: Body) -> Frame:
    """Return the frame of a header and its body.

    Raises:
        ProtocolError: the header is not canonical JSON with a kind.
    """
    try:
        fields = parse_canonical(header, limit=MAXIMUM_HEADER)
    except InputError:
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise ProtocolError("sandbox.malformed-frame", "a frame's header is not canonical JSON with a kind")
    return Frame(fields.pop("kind"), fields, body)
