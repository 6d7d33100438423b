"""Messages wait for who asks; copies are harmless; a flood is refused."""

from __future__ import annotations

import asyncio

import pytest

from sealane.errors import ProtocolError
from sealane.node.inbox import LARGEST_HELD, Inbox
from sealane.secagg.messages import Arrival, Opening

RUN = "r-aaaaaaaaaaaaaaaa"


def arrival(number: int, aggregate: bytes = b"") -> Arrival:
    return Arrival(RUN, 0, number, (), {}, aggregate)


async def test_it_is_taken_whether_it_came_before_or_after() -> None:
    inbox = Inbox()
    inbox.put(arrival(0), 0)
    assert await inbox.take(Arrival, 0) == arrival(0)
    waiting = asyncio.ensure_future(inbox.take(Opening, 0))
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(arrival(1), 1)  # of another kind and number
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(Opening(RUN, 0, 0, {}), 0)
    assert await waiting == Opening(RUN, 0, 0, {})


async def test_the_first_of_a_kind_stands() -> None:
    inbox = Inbox()
    inbox.put(arrival(3, b"first"), 3)
    inbox.put(arrival(3, b"second"), 3)
    assert (await inbox.take(Arrival, 3)).aggregate == b"first"
    # It was handed over, and is not held any more; another is not taken in its place.
    inbox.put(arrival(3, b"third"), 3)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await inbox.take(Arrival, 3)


async def test_what_is_over_is_forgotten_and_comes_no_more() -> None:
    inbox = Inbox()
    for number in range(4):
        inbox.put(arrival(number), number)
    inbox.finished(2)
    inbox.put(arrival(1), 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await inbox.take(Arrival, 1)
    assert await inbox.take(Arrival, 3) == arrival(3)


async def test_a_flood_is_refused_and_what_is_awaited_still_comes() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.take(Opening, 0))
    await asyncio.sleep(0)
    for number in range(LARGEST_HELD):
        inbox.put(arrival(number), number)
    with pytest.raises(ProtocolError) as caught:
        inbox.put(arrival(LARGEST_HELD), LARGEST_HELD)
    assert caught.value.code == "run.too-many-waiting"
    assert len(inbox._held) == LARGEST_HELD
    inbox.put(Opening(RUN, 0, 0, {}), 0)
    await waiting
