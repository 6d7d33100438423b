"""Frames between a node and its child: a JSON header and a body of raw bytes, both of bounded length.

``u32 length of the header ‖ u64 length of the body ‖ header ‖ body``, little-endian.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Never

from sealane.errors import ProtocolError

MAXIMUM_HEADER = 1 << 20
SMALL = 1 << 14
"""Up to so many bytes a body is sent together with its header: each sending costs more than the copy."""
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
    header = json.dumps({"kind": frame.kind, **frame.fields}, separators=(",", ":"), allow_nan=False).encode()
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
        ProtocolError: the header is not JSON with a kind.
    """
    try:
        fields = json.loads(header.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise ProtocolError("sandbox.malformed-frame", "a frame's header is not JSON with a kind")
    return Frame(fields.pop("kind"), fields, body)


def _no_number(text: str) -> Never:
    raise ValueError("not JSON")
