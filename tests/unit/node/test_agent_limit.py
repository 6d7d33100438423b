"""A node keeps to the size that the coordinator agreed to when the stream was opened."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sealane.api.stream.v1.stream_pb2 import ConnectRequest
from sealane.core.ids import new_run_id
from sealane.errors import InputError
from sealane.node.agent import Agent
from sealane.node.execution import Unconfined
from sealane.node.stream import Link
from sealane.rpc.notices import Failure
from sealane.rpc.outbox import Outbox
from sealane.secagg.messages import Contribution

RUN = new_run_id()


def contribution(size: int) -> Contribution:
    return Contribution(RUN, 0, 0, b"h" * 32, b"s" * 64, bytes(size), 64, True)


def link(largest: int) -> tuple[Link, Outbox]:
    outbox: Outbox = Outbox()
    made = Link("127.0.0.1:1", cast("Any", None), outbox)
    made.largest = largest
    return made, outbox


async def test_a_larger_message_is_not_sent() -> None:
    made, _ = link(1000)
    made.send(contribution(500))
    with pytest.raises(InputError) as caught:
        made.send(contribution(1000))
    assert caught.value.code == "payload.over-agreed-limit"


async def test_the_run_that_wanted_to_send_it_is_told_to_the_coordinator() -> None:
    agent = Agent(cast("Any", None), cast("Any", None), cast("Any", None), Unconfined())
    agent._link, outbox = link(1000)
    agent._post(contribution(1000))
    frames = aiter(outbox)
    sent = ConnectRequest.FromString(await anext(frames))
    assert sent.WhichOneof("message") == "failure"
    assert sent.failure.run_id == RUN
    assert sent.failure.error.code == "payload.over-agreed-limit"
    agent._post(Failure(RUN, InputError("x", "y")))
    assert ConnectRequest.FromString(await anext(frames)).failure.error.code == "x"
