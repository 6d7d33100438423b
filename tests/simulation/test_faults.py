"""Whole runs with one thing going wrong: the result is the same, bit for bit, as without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stage import QUICK, Federation, first_step, frames

from sealane.coordinator.run_state import RunState
from sealane.core.canonical import canonical_bytes
from sealane.secagg.messages import Contribution, Introduction, Release
from sealane.simulation.faults import Fault, Kind

Federate = Callable[..., Federation]

EXPECTED: list[bytes] = []
SUMS = ("Contribution", "Arrival", "Release", "Opening")
ONCE = ("RunOffer", "Join", "Start", "Introduction", "Introduced", "Endorsement", "Endorsed", "SealedResult",
        "RunEnded")
PLACES = [*((kind, 0) for kind in SUMS), ("Contribution", 2), ("Arrival", 2), ("Proposal", 1), ("Proposal", 3),
          *((kind, None) for kind in ONCE)]


def faultless(federation: Federate) -> bytes:
    if not EXPECTED:
        fed = federation()
        result = fed.run()
        assert result.steps[0][:3] == first_step(fed.data)
        assert abs(result.steps[1][1]) < 1e-6  # about its mean the sum vanishes
        EXPECTED.append(canonical_bytes(result.steps))
    return EXPECTED[0]


def same_bytes_every_time(fed: Federation) -> None:
    """A message sent again for the same exchange is the same message."""
    said: dict[tuple[str, type, int, int], set[bytes]] = {}
    for name, message in fed.engine.seen:
        if isinstance(message, Contribution):
            said.setdefault((name, Contribution, message.attempt, message.exchange), set()).add(message.payload)
        if isinstance(message, Release):
            shares = b"".join(share for _, share in sorted(message.sealed.items()))
            said.setdefault((name, Release, message.attempt, message.exchange), set()).add(shares)
        if isinstance(message, Introduction):
            said.setdefault((name, Introduction, message.attempt, -1), set()).add(message.signature)
    assert {key: len(bodies) for key, bodies in said.items() if len(bodies) > 1} == {}


@pytest.mark.parametrize(("message", "exchange"), PLACES)
@pytest.mark.parametrize("kind", ["drop", "delay", "duplicate", "reorder"])
def test_a_message_that_goes_astray_changes_nothing(
    kind: Kind, message: str, exchange: int | None, federation: Federate
) -> None:
    expected = faultless(federation)
    fed = federation()
    result = fed.run(Fault(kind, message=message, exchange=exchange, times=2, seconds=0.03))
    assert canonical_bytes(result.steps) == expected
    assert fed.engine.script.happened[0] >= 1
    same_bytes_every_time(fed)


@pytest.mark.parametrize("kind", ["drop", "delay", "duplicate", "reorder"])
def test_a_bad_line_to_one_node_changes_nothing(kind: Kind, federation: Federate) -> None:
    expected = faultless(federation)
    fed = federation()
    result = fed.run(Fault(kind, node="west", times=4, after=2, seconds=0.01))
    assert canonical_bytes(result.steps) == expected


@pytest.mark.parametrize(("message", "exchange"), [place for place in PLACES if place[0] != "RunEnded"])
def test_a_node_that_is_killed_comes_back_and_goes_on(
    message: str, exchange: int | None, federation: Federate
) -> None:
    expected = faultless(federation)
    fed = federation()
    result = fed.run(Fault("crash", message=message, exchange=exchange, after=0, seconds=0.01))
    assert canonical_bytes(result.steps) == expected
    assert fed.engine.script.happened[0] == 1
    same_bytes_every_time(fed)
    assert len({m.attempt for _, m in fed.seen(Contribution)}) == 1  # waited for, not left out


@pytest.mark.parametrize(("message", "exchange"), [place for place in PLACES if place[0] != "RunEnded"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_coordinator_that_is_killed_comes_back_and_goes_on(
    message: str, exchange: int | None, after: int, federation: Federate
) -> None:
    expected = faultless(federation)
    fed = federation()
    after = 0 if message == "SealedResult" else after  # said once only
    result = fed.run(Fault("crash-coordinator", message=message, exchange=exchange, after=after, seconds=0.01))
    assert canonical_bytes(result.steps) == expected
    assert fed.engine.script.happened[0] == 1
    same_bytes_every_time(fed)
    assert fed.engine.runs.facts is not None
    assert fed.engine.runs.facts.state is RunState.COMPLETED


def test_everything_at_once(federation: Federate) -> None:
    expected = faultless(federation)
    fed = federation()
    result = fed.run(
        Fault("drop", message="Contribution", times=2), Fault("duplicate", message="Arrival", times=3),
        Fault("crash", message="Release", exchange=0, seconds=0.02), Fault("reorder", message="Opening", times=2),
        Fault("crash-coordinator", message="Proposal", exchange=1, seconds=0.02),
        Fault("delay", node="west", message="*", times=4, seconds=0.02, after=9),
        Fault("crash", message="Endorsed", seconds=0.02),
    )
    assert canonical_bytes(result.steps) == expected
    same_bytes_every_time(fed)


def test_every_node_is_killed_once(federation: Federate) -> None:
    expected = faultless(federation)
    fed = federation()
    faults = [Fault("crash", node=name, message=message, exchange=exchange, seconds=0.02)
              for name, (message, exchange) in zip(fed.nodes, (("Arrival", 2), ("Opening", 0), ("Contribution", 2),
                                                               ("Endorsed", None)), strict=True)]
    assert canonical_bytes(fed.run(*faults).steps) == expected
    assert fed.engine.script.happened == dict.fromkeys(range(4), 1)


def test_three_nodes_are_enough(federation: Federate) -> None:
    data = frames(("north", "south", "west"))
    assert federation(data, QUICK).run().steps[0][:3] == first_step(data)
