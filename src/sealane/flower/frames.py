"""Messages on a stream socket between a process and its child: a length, then as many bytes."""

from __future__ import annotations

import socket
import struct

from sealane.errors import ProtocolError

_LENGTH = struct.Struct(">Q")
MOST = 512 << 20
BUFFER = 4 << 20


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets with room for a model."""
    ends = socket.socketpair()
    for end in ends:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return ends


def send(stream: socket.socket, data: bytes) -> None:
    """Send one message."""
    stream.sendall(_LENGTH.pack(len(data)))
    stream.sendall(data)


def receive(stream: socket.socket) -> bytes | None:
    """Return the next message; None where the stream ended.

    Raises:
        ProtocolError: it is longer than any may be.
    """
    head = _exactly(stream, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MOST:
        raise ProtocolError("flower.frame-too-large", "a message between a node and its app is too large",
                            got=f"{length} bytes", expected=f"at most {MOST}")
    return _exactly(stream, length)


def _exactly(stream: socket.socket, length: int) -> bytes | None:
    data = bytearray(length)
    view, at = memoryview(data), 0
    while at < length:
        try:
            count = stream.recv_into(view[at:], length - at)
        except OSError:
            return None
        if not count:
            return None
        at += count
    return bytes(data)
