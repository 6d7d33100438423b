"""Long messages in parts: cut on the way out, put together on the way in, never past a limit agreed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError

from sealane.api.stream.v1.stream_pb2 import Chunk, ConnectRequest, ConnectResponse
from sealane.core.octets import Buffer, Octets, Pieces, stretch, whole
from sealane.errors import ProtocolError
from sealane.rpc.fields import key, varint

F = TypeVar("F", ConnectRequest, bytes)
CHUNK_BYTES = 1 << 20
SHORT_BYTES = 1 << 16
"""Chunks below this are joined before they are kept."""
MAXIMUM_MESSAGE_BYTES = 512 << 20
_transfers = count(1)
_CHUNK = key(ConnectResponse.CHUNK_FIELD_NUMBER)
_DATA = key(Chunk.DATA_FIELD_NUMBER)


def malformed() -> ProtocolError:
    """Return the error for bytes that are no message."""
    return ProtocolError("wire.malformed", "bytes on the stream are no message of this protocol",
                         hint="the peer runs another version, or something on the way changes bytes")


@contextmanager
def well_formed() -> Iterator[None]:
    """Read frames within this block.

    Raises:
        ProtocolError: bytes are no message.
    """
    try:
        yield
    except DecodeError:
        raise malformed() from None


class Outgoing(Generic[F]):
    """A message on its way out, cut into frames as they are taken. Several streams may share one.

    Attributes:
        size: of the message in bytes.
        frames: gives the message itself, or parts of it if it is too long for one frame.
    """

    def __init__(self, size: int, frames: Callable[[], Iterator[F]]) -> None:
        self.size = size
        self.frames: Callable[[], Iterator[F]] = frames


def requests(message: ConnectRequest | Octets) -> Outgoing[ConnectRequest]:
    """Return a node's message, to be cut."""
    if isinstance(message, ConnectRequest):
        short, size = message, message.ByteSize()
        if size <= CHUNK_BYTES:
            return Outgoing(size, lambda: iter((short,)))
        message = message.SerializeToString()
    data = message
    return Outgoing(len(data), lambda: (
        ConnectRequest(chunk=Chunk(transfer=transfer, total_bytes=len(data), offset=offset, data=bytes(part)))
        for transfer, offset, part in _parts(data)))


def responses(data: Octets) -> Outgoing[bytes]:
    """Return a coordinator's message, given as its bytes, to be cut; what it lies in is copied once, into the frames.

    Its frames are bytes too: protobuf would copy them several times.
    """
    if len(data) <= CHUNK_BYTES:
        return Outgoing(len(data), lambda: iter((whole(data),)))
    return Outgoing(len(data), lambda: (
        _part(Chunk(transfer=transfer, total_bytes=len(data), offset=offset).SerializeToString(), part)
        for transfer, offset, part in _parts(data)))


def is_part(frame: bytes) -> bool:
    """Tell whether a frame of :func:`responses` is one of several."""
    return frame.startswith(_CHUNK)


def _parts(data: Octets) -> Iterator[tuple[int, int, Buffer]]:
    transfer = next(_transfers)
    for offset in range(0, len(data), CHUNK_BYTES):
        yield transfer, offset, stretch(data, offset, min(offset + CHUNK_BYTES, len(data)))


def _part(rest: bytes, data: Buffer) -> bytes:
    head = rest + _DATA + varint(len(data))
    return b"".join([_CHUNK, varint(len(head) + len(data)), head, data])


class Assembler:
    """Puts one direction's chunks together. A stream is ordered, so only one transfer is open at a time.

    Chunks stay the pieces that they came in: joined, they would be copied, and take twice their memory meanwhile. Short
    ones are joined all the same, or a peer that sends a byte at a time would make this side hold an object for each.
    """

    def __init__(self, limit: int = MAXIMUM_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._transfer = 0
        self._total = 0
        self._held = 0
        self._pieces: list[bytes] = []
        self._short = bytearray()

    def add(self, chunk: Chunk) -> Pieces | None:
        """Take in a chunk, and return the message that it completes, if it does.

        Raises:
            ProtocolError: out of order, longer than announced, or announced longer than the limit.
        """
        if chunk.offset == 0 and not self._held:
            if not 0 < chunk.total_bytes <= self._limit:
                raise ProtocolError("payload.too-large", "a message is larger than this stream allows",
                                    got=f"{chunk.total_bytes} bytes", expected=f"at most {self._limit} bytes",
                                    hint="the limit was agreed when the stream was opened")
            self._transfer, self._total = chunk.transfer, chunk.total_bytes
        data = chunk.data  # a copy each time it is asked for
        continues = (chunk.transfer, chunk.total_bytes, chunk.offset) == (self._transfer, self._total, self._held)
        if not (continues and data and self._held + len(data) <= self._total):
            raise ProtocolError("payload.chunk-out-of-order", "a part of a message does not continue the one before",
                                got=f"offset {chunk.offset}", expected=f"offset {self._held} of {self._total}")
        self._keep(data)
        if self._held < self._total:
            return None
        self._flush()
        message, self._held, self._pieces = Pieces(self._pieces), 0, []
        return message

    def _keep(self, data: bytes) -> None:
        self._held += len(data)
        if len(data) >= SHORT_BYTES:
            self._flush()
            self._pieces.append(data)
            return
        self._short += data
        if len(self._short) >= SHORT_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._short:
            self._pieces.append(bytes(self._short))
            self._short.clear()
