"""The messages of a secure sum as bytes, in the form that nodes and coordinator use between themselves."""

from __future__ import annotations

from typing import TypeVar

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.errors import ProtocolError
from sealane.rpc.codec import (
    FromCoordinator,
    FromNode,
    decode_from_coordinator,
    decode_from_node,
    encode_from_coordinator,
    encode_from_node,
)
from sealane.rpc.frames import well_formed

M = TypeVar("M")


def write_node(message: FromNode) -> bytes:
    """Write what a node says."""
    data: bytes = encode_from_node(message).SerializeToString()
    return data


def write_server(message: FromCoordinator) -> bytes:
    """Write what the server half says."""
    data: bytes = encode_from_coordinator(message).SerializeToString()
    return data


def read_node(data: object, kind: type[M]) -> M:
    """Read what a node says.

    Raises:
        ProtocolError: malformed, or of another kind.
    """
    with well_formed():
        return _of_kind(decode_from_node(pb.ConnectRequest.FromString(_bytes(data))), kind)


def read_server(data: object, kind: type[M]) -> M:
    """Read what the server half says.

    Raises:
        ProtocolError: malformed, or of another kind.
    """
    with well_formed():
        return _of_kind(decode_from_coordinator(pb.ConnectResponse.FromString(_bytes(data))), kind)


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise ProtocolError("flower.step-malformed", "a step of a secure sum is malformed", got=type(data).__name__,
                            expected="bytes")
    return data


def _of_kind(message: object, kind: type[M]) -> M:
    if not isinstance(message, kind):
        raise ProtocolError("flower.step-malformed", "a step of a secure sum is malformed", got=type(message).__name__,
                            expected=kind.__name__)
    return message
