"""Long messages are cut and put together again, in order and within the limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.api.stream.v1.stream_pb2 import Chunk, ConnectRequest, ConnectResponse, Contribution, Opening
from sealane.core import octets
from sealane.core.octets import Pieces
from sealane.errors import ProtocolError
from sealane.rpc.frames import CHUNK_BYTES, SHORT_BYTES, Assembler, is_part, requests, responses


def test_short_messages_are_one_frame() -> None:
    data = ConnectRequest(contribution=Contribution(payload=b"x" * 1000)).SerializeToString()
    assert list(requests(data).frames()) == [data]


def test_the_coordinators_short_messages_are_one_frame() -> None:
    data = ConnectResponse(opening=Opening(sealed={"a": b"y" * 1000})).SerializeToString()
    frame, = responses(Pieces([data[:10], data[10:]])).frames()
    assert (frame, is_part(frame)) == (data, False)


def test_several_streams_share_one_short_frame() -> None:
    shared = responses(Pieces([b"ab", b"cd"]))
    (first,), (second,) = shared.frames(), shared.frames()
    assert first is second


@settings(max_examples=10, deadline=None)
@given(st.integers(min_value=CHUNK_BYTES, max_value=4 * CHUNK_BYTES))
def test_long_messages_come_back_whole(size: int) -> None:
    message = ConnectRequest(contribution=Contribution(payload=b"\x07" * size))
    frames = list(requests(message.SerializeToString()).frames())
    assert len(frames) > 1
    assert all(len(frame) <= CHUNK_BYTES + 64 for frame in frames)
    assembler = Assembler()
    whole = [assembler.add(ConnectRequest.FromString(frame).chunk) for frame in frames]
    assert whole[:-1] == [None] * (len(frames) - 1)
    assert whole[-1] is not None
    assert ConnectRequest.FromString(octets.whole(whole[-1])) == message


def test_the_coordinators_messages_are_cut_alike() -> None:
    message = ConnectResponse(opening=Opening(sealed={"a": b"y" * (CHUNK_BYTES + 1)}))
    assembler = Assembler()
    frames = list(responses(message.SerializeToString()).frames())
    assert all(is_part(frame) and len(frame) <= CHUNK_BYTES + 64 for frame in frames)
    whole = [assembler.add(ConnectResponse.FromString(frame).chunk) for frame in frames][-1]
    assert whole is not None
    assert ConnectResponse.FromString(octets.whole(whole)) == message


def test_several_streams_share_one_message() -> None:
    message = ConnectResponse(opening=Opening(sealed={"a": b"y" * (CHUNK_BYTES + 1)}))
    shared = responses(message.SerializeToString())
    first, second = shared.frames(), shared.frames()
    taken = [(next(first), next(second)) for _ in range(2)]
    for number in (0, 1):
        assembler = Assembler()
        whole = [assembler.add(ConnectResponse.FromString(pair[number]).chunk) for pair in taken][-1]
        assert whole is not None
        assert ConnectResponse.FromString(octets.whole(whole)) == message


@pytest.mark.parametrize("size", [1, 1000, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1])
def test_a_peer_that_sends_little_at_a_time_makes_few_pieces(size: int) -> None:
    data = bytes(range(256)) * 1000
    assembler, most = Assembler(), 0
    for offset in range(0, len(data), size):
        found = assembler.add(part(1, len(data), offset, data[offset : offset + size]))
        most = max(most, len(assembler._pieces))
    assert found is not None
    assert octets.whole(found) == data
    assert most <= len(data) // SHORT_BYTES + 1


def part(transfer: int, total: int, offset: int, data: bytes) -> Chunk:
    return Chunk(transfer=transfer, total_bytes=total, offset=offset, data=data)


BAD = [
    ([part(1, 101, 0, b"x")], "payload.too-large"),
    ([part(1, 0, 0, b"")], "payload.too-large"),
    ([part(1, 10, 5, b"x")], "payload.chunk-out-of-order"),
    ([part(1, 10, 0, b"abc"), part(1, 10, 4, b"d")], "payload.chunk-out-of-order"),
    ([part(1, 10, 0, b"abc"), part(2, 10, 3, b"d")], "payload.chunk-out-of-order"),
    ([part(1, 10, 0, b"abc"), part(1, 11, 3, b"d")], "payload.chunk-out-of-order"),
    ([part(1, 3, 0, b"abcd")], "payload.chunk-out-of-order"),
    ([part(1, 10, 0, b"abc"), part(1, 10, 3, b"")], "payload.chunk-out-of-order"),
]


@pytest.mark.parametrize(("chunks", "code"), BAD)
def test_bad_chunks_are_refused(chunks: list[Chunk], code: str) -> None:
    assembler = Assembler(limit=100)
    for chunk in chunks[:-1]:
        assert assembler.add(chunk) is None
    with pytest.raises(ProtocolError) as caught:
        assembler.add(chunks[-1])
    assert caught.value.code == code
