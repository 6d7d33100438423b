"""Long messages in parts: cut on the way out, put together on the way in, never past a limit agreed beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from google.protobuf.message import DecodeError

from sealane.api.stream.v1.stream_pb2 import Chunk, ConnectRequest, ConnectResponse
from sealane.errors import ProtocolError

CHUNK_BYTES = 1 << 20
MAXIMUM_MESSAGE_BYTES = 512 << 20
_transfers = count(1)


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


def requests(message: ConnectRequest) -> Iterator[ConnectRequest]:
    """Cut a node's message into frames, if it is too long for one."""
    if message.ByteSize() <= CHUNK_BYTES:
        yield message
        return
    for part in _cut(message.SerializeToString()):
        yield ConnectRequest(chunk=part)


def responses(message: ConnectResponse) -> Iterator[ConnectResponse]:
    """Cut a coordinator's message into frames, if it is too long for one."""
    if message.ByteSize() <= CHUNK_BYTES:
        yield message
        return
    for part in _cut(message.SerializeToString()):
        yield ConnectResponse(chunk=part)


def _cut(data: bytes) -> Iterator[Chunk]:
    transfer = next(_transfers)
    for offset in range(0, len(data), CHUNK_BYTES):
        yield Chunk(transfer=transfer, total_bytes=len(data), offset=offset, data=data[offset : offset + CHUNK_BYTES])


class Assembler:
    """Puts one direction's chunks together. A stream is ordered, so only one transfer is open at a time."""

    def __init__(self, limit: int = MAXIMUM_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._transfer = 0
        self._total = 0
        self._held = bytearray()

    def add(self, chunk: Chunk) -> bytes | None:
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
        continues = (chunk.transfer, chunk.total_bytes, chunk.offset) == (self._transfer, self._total, len(self._held))
        if not (continues and chunk.data and len(self._held) + len(chunk.data) <= self._total):
            raise ProtocolError("payload.chunk-out-of-order", "a part of a message does not continue the one before",
                                got=f"offset {chunk.offset}", expected=f"offset {len(self._held)} of {self._total}")
        self._held += chunk.data
        if len(self._held) < self._total:
            return None
        whole, self._held = bytes(self._held), bytearray()
        return whole
