"""An outbox keeps order, and closes instead of growing without bound."""

from __future__ import annotations

import asyncio

from sealane.api.stream.v1.stream_pb2 import ConnectRequest, Contribution
from sealane.rpc.frames import Outgoing, requests
from sealane.rpc.outbox import Outbox


def frame(number: int, size: int = 10) -> Outgoing:
    return requests(ConnectRequest(contribution=Contribution(exchange=number, payload=bytes(size))).SerializeToString())


async def test_frames_come_in_order_and_later_ones_are_waited_for() -> None:
    outbox: Outbox = Outbox()
    seen: list[int] = []

    async def read() -> None:
        async for each in outbox:
            seen.append(ConnectRequest.FromString(each).contribution.exchange)
            if len(seen) == 4:
                outbox.close()

    reader = asyncio.create_task(read())
    outbox.put(frame(0))
    outbox.put(frame(1))
    await asyncio.sleep(0.01)
    outbox.put(frame(2))
    outbox.put(frame(3))
    await asyncio.wait_for(reader, 1)
    assert seen == [0, 1, 2, 3]


async def test_past_its_limit_it_closes() -> None:
    outbox: Outbox = Outbox(limit=1000)
    assert outbox.put(frame(0, 500))
    assert not outbox.put(frame(1, 600))
    assert outbox.closed
    assert not outbox.put(frame(2))


async def test_what_was_read_no_longer_counts() -> None:
    outbox: Outbox = Outbox(limit=1000)
    frames = aiter(outbox)
    for number in range(20):
        assert outbox.put(frame(number, 500))
        assert ConnectRequest.FromString(await anext(frames)).contribution.exchange == number
    assert not outbox.closed
