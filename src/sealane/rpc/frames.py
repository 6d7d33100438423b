"""Long messages in parts: cut on the way out, put together on the way in, never past a limit agreed beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from google.protobuf.message import DecodeError

from sealane.api.stream.v1.stream_pb2 import Chunk, ConnectRequest, ConnectResponse
from sealane.core.octets import Octets, Pieces, stretch, whole
from sealane.errors import ProtocolError
from sealane.rpc.fields import key, varint

CHUNK_BYTES = 1 << 20
SHORT_BYTES = 1 << 16
"""Chunks below this are joined before they are kept."""
MAXIMUM_MESSAGE_BYTES = 512 << 20
_transfers = count(1)
_OF_REQUEST, _OF_RESPONSE = key(ConnectRequest.CHUNK_FIELD_NUMBER), key(ConnectResponse.CHUNK_FIELD_NUMBER)
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


class Outgoing:
    """A message on its way out, cut into frames as they are taken. Several streams may share one.

    What its bytes lie in is copied once, into the frames, which are bytes too: protobuf would copy them several times.
    A short message is put together here, once for all streams.

    Attributes:
        size: of the message in bytes.
    """

    def __init__(self, data: Octets, chunk: bytes) -> None:
        self.size = len(data)
        self._data = whole(data) if self.size <= CHUNK_BYTES else data
        self._chunk = chunk

    def frames(self) -> Iterator[bytes]:
        """Give the message itself, or parts of it if it is too long for one frame."""
        if self.size <= CHUNK_BYTES:
            yield whole(self._data)
            return
        transfer = next(_transfers)
        for offset in range(0, self.size, CHUNK_BYTES):
            part = stretch(self._data, offset, min(offset + CHUNK_BYTES, self.size))
            rest = Chunk(transfer=transfer, total_bytes=self.size, offset=offset).SerializeToString()
            head = rest + _DATA + varint(len(part))
            yield b"".join([self._chunk, varint(len(head) + len(part)), head, part])


def requests(data: Octets) -> Outgoing:
    """Return a node's message, given as its bytes, to be cut."""
    return Outgoing(data, _OF_REQUEST)


def responses(data: Octets) -> Outgoing:
    """Return a coordinator's message, given as its bytes, to be cut."""
    return Outgoing(data, _OF_RESPONSE)


def is_part(frame: bytes) -> bool:
    """Tell whether a frame of :func:`responses` is one of several."""
    return frame.startswith(_OF_RESPONSE)


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
