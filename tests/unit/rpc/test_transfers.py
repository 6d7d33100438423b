"""Updates go around protobuf, on a wire that is protobuf's still, and nothing malformed passes for a message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.core.ids import Fingerprint
from sealane.core.octets import Pieces, whole
from sealane.errors import ProtocolError
from sealane.rpc.codec import encode_from_coordinator, encode_from_node
from sealane.rpc.frames import CHUNK_BYTES, Assembler, Outgoing
from sealane.rpc.notices import Parcel
from sealane.rpc.transfers import (
    from_coordinator,
    from_node,
    read_from_coordinator,
    read_from_node,
    read_said,
    read_told,
)
from sealane.secagg.messages import Arrival, Contribution, Delivery, Entry, LettersEntry

RUN = "r-aaaaaaaaaaaaaaaa"
NODE, OTHER = Fingerprint("a" * 52), Fingerprint("b" * 51 + "a")
LONG = bytes(range(251)) * (3 * CHUNK_BYTES // 251)
CONTRIBUTION = Contribution(RUN, 1, 2, b"d" * 32, b"s" * 64, LONG, 54, False, {NODE: b"one", OTHER: b"two"})
ARRIVAL = Arrival(RUN, 1, 2, (Entry(NODE, b"p" * 32, b"d" * 32, b"s" * 64, b"h" * 32),), {}, LONG, {NODE: b"one"})
PAYLOAD_KEY = bytes([pb.Contribution.DESCRIPTOR.fields_by_name["payload"].number << 3 | 2])


def sent(outgoing: Outgoing, peer: Any = pb.ConnectResponse) -> Pieces:
    """What the peer puts together."""
    assembler = Assembler()
    found = [assembler.add(peer.FromString(frame).chunk) for frame in outgoing.frames()]
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] is not None
    return found[-1]


def test_a_contribution_comes_back_and_is_protobuf_on_the_wire() -> None:
    outgoing = from_node(CONTRIBUTION)
    frame = sent(outgoing, pb.ConnectRequest)
    assert len(frame) == outgoing.size == encode_from_node(CONTRIBUTION).ByteSize()
    assert pb.ConnectRequest.FromString(whole(frame)) == encode_from_node(CONTRIBUTION)
    message = read_from_node(frame)
    assert isinstance(message, Contribution)
    assert whole(message.payload) == LONG
    assert encode_from_node(message) == encode_from_node(CONTRIBUTION)


def test_an_arrival_comes_back_and_is_protobuf_on_the_wire() -> None:
    frame = sent(from_coordinator(ARRIVAL))
    assert pb.ConnectResponse.FromString(whole(frame)) == encode_from_coordinator(ARRIVAL)
    message = read_from_coordinator(frame)
    assert isinstance(message, Arrival)
    assert whole(message.aggregate) == LONG
    assert encode_from_coordinator(message) == encode_from_coordinator(ARRIVAL)


@pytest.mark.parametrize("sizes", [(0, 0), (3, 1), (0, 127), (128, 20_000), (300_000, 500_000), (2_000_000, 0)])
@pytest.mark.parametrize("aggregate", [0, 1000])
def test_relayed_payloads_are_protobuf_on_the_wire(sizes: tuple[int, int], aggregate: int) -> None:
    first, second = (LONG[:size] for size in sizes)
    arrival = replace(ARRIVAL, payloads={NODE: Pieces([first[:100], first[100:]]), OTHER: second},
                      aggregate=LONG[:aggregate])
    outgoing, expected = from_coordinator(arrival), encode_from_coordinator(arrival)
    data = whole(sent(outgoing)) if outgoing.size > CHUNK_BYTES else b"".join(outgoing.frames())
    assert pb.ConnectResponse.FromString(data) == expected
    assert len(data) == outgoing.size == expected.ByteSize()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 200_000, 3_000_000])
def test_letters_and_parcels_are_protobuf_on_the_wire(size: int) -> None:
    told = LettersEntry(NODE, (b"h" * 32, b""), b"s" * 64)
    delivery = Delivery(RUN, 1, 2, (told,), {NODE: LONG[:size], OTHER: b"short"})
    parcel = Parcel(NODE, "request", b"s" * 32, LONG[:size], b"k" * 32, b"s" * 64)
    for message in (delivery, parcel):
        outgoing, expected = from_coordinator(message), encode_from_coordinator(message)
        data = whole(sent(outgoing)) if outgoing.size > CHUNK_BYTES else b"".join(outgoing.frames())
        assert pb.ConnectResponse.FromString(data) == expected
        assert len(data) == outgoing.size == expected.ByteSize()
        assert read_from_coordinator(data) == message


def test_frames_are_messages_or_parts_of_them() -> None:
    short = replace(CONTRIBUTION, payload=b"short")
    assert read_said(encode_from_node(short).SerializeToString()) == short
    part = pb.Chunk(transfer=1, total_bytes=9, offset=0, data=b"abc")
    assert read_said(pb.ConnectRequest(chunk=part).SerializeToString()) == part


@pytest.mark.parametrize("size", [1, 127, 128, 60_000])
def test_the_long_field_of_one_frame_is_read_where_it_lies(size: int) -> None:
    contribution, arrival = replace(CONTRIBUTION, payload=LONG[:size]), replace(ARRIVAL, aggregate=LONG[:size])
    said, told = b"".join(from_node(contribution).frames()), b"".join(from_coordinator(arrival).frames())
    from_a_node, from_the_coordinator = read_said(said), read_told(told)
    assert (from_a_node, from_the_coordinator) == (contribution, arrival)
    assert isinstance(from_a_node, Contribution)
    assert isinstance(from_a_node.payload, memoryview)
    assert from_a_node.payload.obj is said
    assert isinstance(from_the_coordinator, Arrival)
    assert isinstance(from_the_coordinator.aggregate, memoryview)
    assert from_the_coordinator.aggregate.obj is told


@pytest.mark.parametrize("frame", [
    b"", b"\xff", b"\x1a\x05ab", encode_from_node(CONTRIBUTION).SerializeToString()[:-1],
    encode_from_node(CONTRIBUTION).SerializeToString() + b"\x00", bytes(20_000), b"\x1a" + bytes(20_000),
    b"\x1a" + b"\xff" * 20_000,
])
def test_frames_that_are_no_message_are_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_said(frame)
    assert caught.value.code.startswith("wire.")


def test_fields_in_protobufs_own_order_are_read_too() -> None:
    request, response = encode_from_node(CONTRIBUTION), encode_from_coordinator(ARRIVAL)
    assert read_said(request.SerializeToString()) == read_from_node(request.SerializeToString()) == CONTRIBUTION
    assert read_from_coordinator(response.SerializeToString()) == ARRIVAL


def test_other_long_messages_are_read_as_before() -> None:
    statistics = Contribution(RUN, 0, 0, b"d" * 32, b"s" * 64, b"", 128, True, {NODE: LONG[:60_000]})
    assert read_from_node(encode_from_node(statistics).SerializeToString()) == statistics
    relayed = Arrival(RUN, 0, 0, (), {OTHER: LONG})
    assert read_from_coordinator(encode_from_coordinator(relayed).SerializeToString()) == relayed


@pytest.mark.parametrize("take", [read_from_node, read_said])
def test_a_second_payload_does_not_replace_the_first(take: Any) -> None:
    inner = PAYLOAD_KEY + b"\x02xx" + encode_from_node(CONTRIBUTION).contribution.SerializeToString()
    frame = pb.ConnectRequest.DESCRIPTOR.fields_by_name["contribution"].number << 3 | 2
    for read in (inner, PAYLOAD_KEY + b"\x02xx" + PAYLOAD_KEY + b"\x01y"):
        with pytest.raises(ProtocolError) as caught:
            take(bytes([frame]) + varint(len(read)) + read)
        assert caught.value.code.startswith("wire.")


@pytest.mark.parametrize("take", [read_from_coordinator, read_told])
def test_a_second_aggregate_does_not_replace_the_first(take: Any) -> None:
    head = bytes([pb.Arrival.DESCRIPTOR.fields_by_name["aggregate"].number << 3 | 2])
    frame = bytes([pb.ConnectResponse.DESCRIPTOR.fields_by_name["arrival"].number << 3 | 2])
    read = head + b"\x02xx" + encode_from_coordinator(replace(ARRIVAL, aggregate=b"y")).arrival.SerializeToString()
    with pytest.raises(ProtocolError) as caught:
        take(frame + varint(len(read)) + read)
    assert caught.value.code == "wire.malformed"


@pytest.mark.parametrize("take", [read_from_node, read_said])
@pytest.mark.parametrize("change", [
    lambda data: data[:-1],
    lambda data: data + b"\x00",
    lambda data: data[:1] + b"\xff" * 12 + data[1:],
    lambda data: data[:5] + PAYLOAD_KEY + b"\xff\xff\xff\xff\x7f" + data[11:],
    lambda data: data[:3],
])
def test_lengths_that_lie_are_refused(change: Any, take: Any) -> None:
    data = whole(sent(from_node(CONTRIBUTION), pb.ConnectRequest))
    with pytest.raises(ProtocolError) as caught:
        take(change(data))
    assert caught.value.code == "wire.malformed"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 300))
def test_changed_bytes_are_a_message_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    short = Contribution(RUN, 1, 2, b"d" * 32, b"s" * 64, b"", 54, False, {NODE: b"one"})
    rest = encode_from_node(short).contribution.SerializeToString()
    inner = PAYLOAD_KEY + b"\x08payloads" + rest
    data = bytearray(whole(Pieces([encode_key(), varint(len(inner)), inner])))
    for at, value in changes:
        data[at % len(data)] = value
    try:
        expected = pb.ConnectRequest.FromString(bytes(data[:cut or len(data)]))
    except Exception:
        expected = None
    for take in (read_from_node, read_said):
        try:
            message = take(bytes(data[:cut or len(data)]))
        except ProtocolError:
            continue
        assert expected is not None
        if isinstance(message, Contribution):
            assert whole(message.payload) == expected.contribution.payload


def encode_key() -> bytes:
    return bytes([pb.ConnectRequest.DESCRIPTOR.fields_by_name["contribution"].number << 3 | 2])


def varint(value: int) -> bytes:
    out = []
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])
