"""Messages with an update in them, written and read without a copy of the update.

protobuf copies a field when a message is made, when it is written, when it is read and when the field is taken out. The
payload of a contribution and the aggregate of an arrival therefore go around it. What is on the wire is a message of
protobuf all the same, with its longest field first, for fields may stand in any order; one that begins otherwise is
read as any other.

Source: "Encoding", the description of the wire format in the Protocol Buffers documentation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from google.protobuf.message import Message

from sealane.api.stream.v1.stream_pb2 import Arrival as WireArrival
from sealane.api.stream.v1.stream_pb2 import ConnectRequest, ConnectResponse
from sealane.api.stream.v1.stream_pb2 import Contribution as WireContribution
from sealane.core.octets import Octets, Pieces, Within, stretch, whole
from sealane.rpc.codec import (
    FromCoordinator,
    FromNode,
    decode_from_coordinator,
    decode_from_node,
    encode_from_coordinator,
    encode_from_node,
)
from sealane.rpc.frames import CHUNK_BYTES, Outgoing, malformed, requests, responses, well_formed
from sealane.secagg.messages import Arrival, Contribution

_DELIMITED = 2
"""The wire type of bytes and of messages: a length, then the content."""


@dataclass(frozen=True, slots=True)
class _Long:
    """Where the long field lies: a field of a message that is itself a field of the frame."""

    outer: bytes
    inner: bytes

    @classmethod
    def of(cls, frame: type[Message], kind: str, name: str) -> _Long:
        message = frame.DESCRIPTOR.fields_by_name[kind]
        return cls(_key(message.number), _key(message.message_type.fields_by_name[name].number))

    def join(self, content: Octets, rest: bytes) -> Octets:
        """Return the bytes of a frame: the long field, then the rest of its message."""
        inner = self.inner + _varint(len(content))
        return Pieces([self.outer + _varint(len(inner) + len(content) + len(rest)) + inner, content, rest])

    def cut(self, frame: Octets) -> tuple[Octets, bytes] | None:
        """Return the long field and the rest of its message, or None where the frame does not begin with it."""
        head = bytes(stretch(frame, 0, min(32, len(frame))))
        opened = _opened(head, 0, self.outer)
        if opened is None or opened[0] + opened[1] != len(frame):
            return None
        opened = _opened(head, opened[0], self.inner)
        if opened is None or opened[0] + opened[1] > len(frame):
            return None
        start, stop = opened[0], opened[0] + opened[1]
        return Within(frame, start, stop), bytes(stretch(frame, stop, len(frame)))


def from_node(message: FromNode) -> Outgoing[ConnectRequest]:
    """Return a node's message, to be cut into frames."""
    if not isinstance(message, Contribution) or len(message.payload) <= CHUNK_BYTES:
        return requests(encode_from_node(message))
    rest = encode_from_node(replace(message, payload=b"")).contribution
    return requests(_PAYLOAD.join(message.payload, rest.SerializeToString()))


def from_coordinator(message: FromCoordinator) -> Outgoing[ConnectResponse]:
    """Return a coordinator's message, to be cut into frames."""
    if not isinstance(message, Arrival) or len(message.aggregate) <= CHUNK_BYTES:
        return responses(encode_from_coordinator(message))
    rest = encode_from_coordinator(replace(message, aggregate=b"")).arrival
    return responses(_AGGREGATE.join(message.aggregate, rest.SerializeToString()))


def read_from_node(frame: Octets) -> FromNode:
    """Read a node's message that came in chunks.

    Raises:
        ProtocolError: the bytes are no message, or a field is malformed.
    """
    cut = _PAYLOAD.cut(frame)
    with well_formed():
        if cut is None:
            return decode_from_node(ConnectRequest.FromString(whole(frame)))
        message = decode_from_node(ConnectRequest(contribution=WireContribution.FromString(cut[1])))
    if not isinstance(message, Contribution) or message.payload:
        raise malformed()  # a second payload would take the place of the first
    return replace(message, payload=cut[0])


def read_from_coordinator(frame: Octets) -> FromCoordinator:
    """Read a coordinator's message that came in chunks.

    Raises:
        ProtocolError: the bytes are no message, or a field is malformed.
    """
    cut = _AGGREGATE.cut(frame)
    with well_formed():
        if cut is None:
            return decode_from_coordinator(ConnectResponse.FromString(whole(frame)))
        message = decode_from_coordinator(ConnectResponse(arrival=WireArrival.FromString(cut[1])))
    if not isinstance(message, Arrival) or message.aggregate:
        raise malformed()
    return replace(message, aggregate=cut[0])


def _key(number: int) -> bytes:
    return _varint(number << 3 | _DELIMITED)


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first; all but the last have their highest bit set."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _opened(head: bytes, at: int, key: bytes) -> tuple[int, int] | None:
    """Return where the content of a field begins and how long it is, or None where that field is not here."""
    if not head.startswith(key, at):
        return None
    at += len(key)
    size = 0
    for place, byte in enumerate(head[at : at + 5]):  # no frame is longer than 2^35 bytes
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return at + place + 1, size
    return None


_PAYLOAD = _Long.of(ConnectRequest, "contribution", "payload")
_AGGREGATE = _Long.of(ConnectResponse, "arrival", "aggregate")
