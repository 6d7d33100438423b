"""Messages with an update in them, written and read without a copy of the update.

protobuf copies a field when a message is made, when it is written, when it is read and when the field is taken out. The
payload of a contribution, the aggregate and the payloads of an arrival, delivered letters and the body of a parcel
therefore go around it. What is on the wire is a message of protobuf all the same, with its longest fields first, for
fields may stand in any order; one that begins otherwise is read as any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from sealane.api.stream.v1.stream_pb2 import Arrival as WireArrival
from sealane.api.stream.v1.stream_pb2 import Chunk, ConnectRequest, ConnectResponse
from sealane.api.stream.v1.stream_pb2 import Contribution as WireContribution
from sealane.api.stream.v1.stream_pb2 import Delivery as WireDelivery
from sealane.api.stream.v1.stream_pb2 import Parcel as WireParcel
from sealane.core.ids import Fingerprint
from sealane.core.octets import Buffer, Octets, Pieces, Within, stretch, whole
from sealane.rpc.codec import (
    FromCoordinator,
    FromNode,
    decode_arrival,
    decode_contribution,
    decode_from_coordinator,
    decode_from_node,
    encode_arrival,
    encode_contribution,
    encode_from_coordinator,
    encode_from_node,
)
from sealane.rpc.fields import key, opened, varint
from sealane.rpc.frames import Outgoing, malformed, requests, responses, well_formed
from sealane.rpc.notices import Parcel
from sealane.secagg.messages import Arrival, Contribution, Delivery


@dataclass(frozen=True, slots=True)
class _Long:
    """Where the long field lies: a field of a message that is itself a field of the frame."""

    outer: bytes
    inner: bytes

    def field(self, content: Octets) -> list[Octets]:
        """Return the long field; nothing where it is empty."""
        return [self.inner + varint(len(content)), content] if len(content) else []

    def entries(self, contents: Mapping[Fingerprint, Octets]) -> list[Octets]:
        """Return the long field that is a map by node."""
        fields: list[Octets] = []
        for node, content in contents.items():
            name = node.encode()
            head = _NODE + varint(len(name)) + name + _OF_NODE + varint(len(content))
            fields += [self.inner + varint(len(head) + len(content)) + head, content]
        return fields

    def join(self, fields: list[Octets], rest: bytes) -> Octets:
        """Return the bytes of a frame: long fields, then the rest of its message."""
        return Pieces([self.outer + varint(sum(map(len, fields)) + len(rest)), *fields, rest])

    def cut(self, frame: Octets) -> tuple[Octets, bytes] | None:
        """Return the long field and the rest of its message, or None where the frame does not begin with it."""
        head = bytes(stretch(frame, 0, min(32, len(frame))))
        message = opened(head, 0, self.outer)
        if message is None or sum(message) != len(frame):
            return None
        field = opened(head, message[0], self.inner)
        if field is None or sum(field) > len(frame):
            return None
        start, stop = field[0], sum(field)
        long = stretch(frame, start, stop) if isinstance(frame, Buffer) else Within(frame, start, stop)
        return long, bytes(stretch(frame, stop, len(frame)))


def from_node(message: FromNode) -> Outgoing:
    """Return a node's message, to be cut into frames."""
    if not isinstance(message, Contribution):
        return requests(encode_from_node(message).SerializeToString())
    rest = encode_contribution(message, b"")
    return requests(_PAYLOAD.join(_PAYLOAD.field(message.payload), rest.SerializeToString()))


def from_coordinator(message: FromCoordinator) -> Outgoing:
    """Return a coordinator's message, to be cut into frames."""
    match message:
        case Arrival():
            rest: Message = encode_arrival(message, {}, b"")
            fields = _AGGREGATE.field(message.aggregate) + _RELAYED.entries(message.payloads)
            return responses(_AGGREGATE.join(fields, rest.SerializeToString()))
        case Delivery():
            rest = encode_from_coordinator(replace(message, sealed={})).delivery
            return responses(_LETTERS.join(_LETTERS.entries(message.sealed), rest.SerializeToString()))
        case Parcel():
            rest = encode_from_coordinator(replace(message, body=b"")).parcel
            return responses(_BODY.join(_BODY.field(message.body), rest.SerializeToString()))
        case _:
            return responses(encode_from_coordinator(message).SerializeToString())


def read_said(frame: bytes) -> FromNode | Chunk:
    """Read what a node sent in one frame: a message, or a part of a longer one.

    Raises:
        ProtocolError: the bytes are no message, or a field is malformed.
    """
    found = _read_contribution(frame)
    if found is not None:
        return found
    with well_formed():
        request = ConnectRequest.FromString(frame)
        return request.chunk if request.WhichOneof("message") == "chunk" else decode_from_node(request)


def read_told(frame: bytes) -> FromCoordinator | Chunk:
    """Read what the coordinator sent in one frame: a message, or a part of a longer one. Raises like its other half."""
    found = _read_arrival(frame)
    if found is not None:
        return found
    with well_formed():
        response = ConnectResponse.FromString(frame)
        return response.chunk if response.WhichOneof("message") == "chunk" else decode_from_coordinator(response)


def read_from_node(frame: Octets) -> FromNode:
    """Read a node's message that came in chunks.

    Raises:
        ProtocolError: the bytes are no message, or a field is malformed.
    """
    found = _read_contribution(frame)
    if found is not None:
        return found
    with well_formed():
        return decode_from_node(ConnectRequest.FromString(whole(frame)))


def read_from_coordinator(frame: Octets) -> FromCoordinator:
    """Read a coordinator's message that came in chunks.

    Raises:
        ProtocolError: the bytes are no message, or a field is malformed.
    """
    found = _read_arrival(frame)
    if found is not None:
        return found
    with well_formed():
        return decode_from_coordinator(ConnectResponse.FromString(whole(frame)))


def _read_contribution(frame: Octets) -> Contribution | None:
    cut = _PAYLOAD.cut(frame)
    if cut is None:
        return None
    with well_formed():
        rest = WireContribution.FromString(cut[1])
    if rest.payload:
        raise malformed()  # a second payload would take the place of the first
    return decode_contribution(rest, cut[0])


def _read_arrival(frame: Octets) -> Arrival | None:
    cut = _AGGREGATE.cut(frame)
    if cut is None:
        return None
    with well_formed():
        rest = WireArrival.FromString(cut[1])
    if rest.aggregate:
        raise malformed()
    return decode_arrival(rest, cut[0])


_PAYLOAD = _Long(key(ConnectRequest.CONTRIBUTION_FIELD_NUMBER), key(WireContribution.PAYLOAD_FIELD_NUMBER))
_AGGREGATE = _Long(key(ConnectResponse.ARRIVAL_FIELD_NUMBER), key(WireArrival.AGGREGATE_FIELD_NUMBER))
_RELAYED = _Long(key(ConnectResponse.ARRIVAL_FIELD_NUMBER), key(WireArrival.PAYLOADS_FIELD_NUMBER))
_LETTERS = _Long(key(ConnectResponse.DELIVERY_FIELD_NUMBER), key(WireDelivery.SEALED_FIELD_NUMBER))
_BODY = _Long(key(ConnectResponse.PARCEL_FIELD_NUMBER), key(WireParcel.BODY_FIELD_NUMBER))
_NODE, _OF_NODE = key(1), key(2)
"""Of an entry of a map: its key, then its value."""
