"""How many copies of a model a sum takes at a node and at the coordinator, beside what the computation holds itself.

Counted is what Python and NumPy allocate, by tracemalloc; what is there before a step does not count.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from circle import RUN, Circle, seed_of

from sealane.api.stream.v1.stream_pb2 import ConnectRequest, ConnectResponse
from sealane.computations.base import update
from sealane.core.ids import Fingerprint
from sealane.node.cohort import NodeCohort
from sealane.node.inbox import Inbox
from sealane.node.journal import Journal
from sealane.ring.cpu import warm_up
from sealane.rpc.frames import Assembler, Outgoing
from sealane.rpc.transfers import from_coordinator, from_node, read_from_coordinator, read_from_node
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    Relayed,
    SumState,
    accept_contribution,
    accept_release,
    announcement,
    opening,
)
from sealane.secagg.layout import Layout, encode, plan
from sealane.secagg.messages import Arrival, Contribution

ENTRIES = 3_000_000
MODEL = 4 * ENTRIES
"""Bytes of a copy: float32."""
VALUES = np.sin(np.arange(ENTRIES, dtype=np.float32))
BITS = 16


class Room:
    """What a step has taken at its peak, in copies of the model."""

    copies = 0.0


@contextmanager
def measured() -> Iterator[Room]:
    room = Room()
    tracemalloc.start()
    try:
        yield room
        room.copies = tracemalloc.get_traced_memory()[1] / MODEL
    finally:
        tracemalloc.stop()


class Free:
    """A gate that lets everything pass."""

    def check_round(self, number: int) -> None: ...

    def check_release(self, survivors: frozenset[Fingerprint]) -> None: ...

    def charge(self, number: int, layout: Layout) -> None: ...


@pytest.fixture(params=["masking", "rlwe"])
def circle(request: pytest.FixtureRequest) -> Circle:
    warm_up()
    return Circle(3, scheme=request.param)


def contributions(circle: Circle, layout: Layout, who: range) -> dict[int, Contribution]:
    terms = {"u": update(VALUES, 1.0, BITS)}
    start = circle.attempt.transcript()
    return {k: circle.roles[k].contribute(0, start, layout, encode(layout, terms, seed_of("r", k)),
                                          seed_of("m", k)).message for k in who}


def chunks(outgoing: Outgoing, peer: Any = ConnectResponse) -> list[Any]:
    return [peer.FromString(frame).chunk for frame in outgoing.frames()]


async def test_a_node_takes_little_more_than_two_copies(circle: Circle, tmp_path: Path) -> None:
    terms = {"u": update(VALUES, 1.0, BITS)}
    layout = plan(terms, 3)
    journal = Journal(tmp_path / "runs.sqlite")
    journal.join(RUN, circle.study_hash, seed_of("x"))
    journal.begin_attempt(RUN, 0, b"start")
    inbox, said = Inbox(), []  # type: ignore[var-annotated]
    cohort = NodeCohort(circle.roles[0], journal, Free(), inbox, said.append, minimum_count=5,
                        names={name: name for name in circle.names}, waived=frozenset(),
                        rounding_key=seed_of("rounding"), transcript=circle.attempt.transcript())
    with measured() as contributing:
        task = asyncio.ensure_future(cohort.sum(terms))
        while not said:  # noqa: ASYNC110 - it is said by a task of this loop
            await asyncio.sleep(0)
        for _ in from_node(said[0]).frames():
            pass
    state: SumState = Gathering(circle.attempt)
    for k, message in contributions(circle, layout, range(1, 3)).items():
        state = accept_contribution(state, circle.names[k], message)
    state = accept_contribution(state, circle.names[0], said[0])
    assert isinstance(state, Announced)
    arriving = chunks(from_coordinator(announcement(state, circle.names[0])))
    others = [announcement(state, circle.names[k]) for k in (1, 2)]
    releases = {circle.names[k]: released_by(circle, layout, k, other) for k, other in zip((1, 2), others, strict=True)}
    del others
    with measured() as opening_it:
        assembler = Assembler()
        while arriving:
            whole = assembler.add(arriving.pop(0))
        assert whole is not None
        inbox.put(read_from_coordinator(whole), 0)
        del whole
        while len(said) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for name, release in {**releases, circle.names[0]: said[1]}.items():
            state = accept_release(state, name, release)
        assert isinstance(state, Relayed)
        inbox.put(opening(state.announced, circle.names[0]), 0)
        total = (await task)["u"]
    assert np.abs(total - 3 * VALUES).max() < 3 * 2.0 ** (2 - BITS)
    assert contributing.copies < 1.1  # the protected vector, of 0.6, and what is worked on
    assert opening_it.copies < 2.2  # the opened vector, and the residues or words that it is opened from
    journal.close()


def released_by(circle: Circle, layout: Layout, k: int, arrival: Arrival) -> Any:
    state = circle.roles[k].contribute(0, circle.attempt.transcript(), layout,
                                       encode(layout, {"u": update(VALUES, 1.0, BITS)}, seed_of("r", k)),
                                       seed_of("m", k))
    return circle.roles[k].release(state, arrival).message


def test_a_coordinator_takes_less_than_three_copies(circle: Circle) -> None:
    layout = plan({"u": update(VALUES, 1.0, BITS)}, 3)
    sent = contributions(circle, layout, range(3))
    arriving = {k: chunks(from_node(message), ConnectRequest) for k, message in sent.items()}
    del sent
    with measured() as room:
        state: SumState = Gathering(circle.attempt)
        assemblers = {k: Assembler() for k in arriving}
        while any(arriving.values()):  # all nodes send at once
            for k, left in arriving.items():
                whole = assemblers[k].add(left.pop(0)) if left else None
                if whole is not None:
                    message = read_from_node(whole)
                    assert isinstance(message, Contribution)
                    state = accept_contribution(state, circle.names[k], message)
                    del message, whole
        assert isinstance(state, Announced)
        streams = [from_coordinator(announcement(state, name)).frames() for name in circle.names]
        while sum(next(stream, None) is not None for stream in streams):  # in turn, as they are written
            pass
    assert room.copies < 2.8  # three protected vectors of 0.6 that come at once, and their total
