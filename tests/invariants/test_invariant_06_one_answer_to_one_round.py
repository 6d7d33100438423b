"""6. A retried message resends the same bytes; a node never helps to open one round for two different cohorts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from stage import RUN, Federation, Stage

from sealane.rpc.notices import Nudge
from sealane.secagg.messages import Contribution, Endorsement, Join, Proposal, Release
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
ALL = ("a", "b", "c", "d")


@pytest.mark.parametrize("kind", ["Contribution", "Arrival", "Release", "Opening", "Proposal", "Endorsement",
                                  "Endorsed", "Start"])
def test_invariant_06_what_is_said_again_is_the_same(kind: str, federation: Federate) -> None:
    fed = federation()
    fed.run(Fault("drop", message=kind, times=2), Fault("crash", node="west", message=kind, seconds=0.02),
            Fault("crash-coordinator", message="Arrival", exchange=2, seconds=0.02))
    said: dict[tuple[object, ...], set[object]] = {}
    for name, message in fed.engine.seen:
        match message:
            case Join():
                said.setdefault((name, Join), set()).add(message)
            case Contribution():
                said.setdefault((name, Contribution, message.attempt, message.exchange), set()).add(
                    (message.payload, message.signature, message.description_hash))
            case Release():
                said.setdefault((name, Release, message.attempt, message.exchange), set()).add(
                    tuple(sorted(message.sealed.items())))
            case Proposal():
                said.setdefault((Proposal, message.attempt, message.exchange), set()).add(message)
            case Endorsement():
                said.setdefault((name, Endorsement), set()).add(message)
    assert len(said) >= 4 + 8 + 4 + 2 + 4  # of two sums, the second opens on arrival
    assert {key: len(bodies) for key, bodies in said.items() if len(bodies) != 1} == {}


async def test_invariant_06_no_round_is_opened_for_two_cohorts(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    answered: set[tuple[str, ...]] = set()
    for attempt, who in enumerate([*combinations(ALL, 3), ALL]):
        for name in who:
            await on.tell(name, on.start(who, attempt))
        await on.introduce(who, attempt)
        for name in who:
            heard = [m for m in on.said[name] if isinstance(m, Contribution) and m.attempt == attempt]
            if heard and len([n for n in who if any(
                    isinstance(m, Contribution) and m.attempt == attempt for m in on.said[n])]) == len(who):
                await on.tell(name, on.arrival(name, 0, who, attempt))
        if all(any(r.attempt == attempt for r in on.releases(name)) for name in who):
            answered.add(who)
    assert answered == {("a", "b", "c")}
    assert {(name, r.attempt) for name in ALL for r in on.releases(name)} == {("a", 0), ("b", 0), ("c", 0)}


async def test_invariant_06_not_after_a_restart_either(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    await on.announce()
    before = {name: on.releases(name)[0] for name in ALL}
    for name in ALL:
        await on.restart(name)
        await on.tell(name, on.start(("a", "b", "c"), attempt=1)) if name != "d" else None
        await on.tell(name, Nudge(RUN))
    assert all({r.attempt for r in on.releases(name)} == {0} for name in ALL)
    assert all(r == before[name] for name in ALL for r in on.releases(name))
    await on.announce()
    await on.relay()
    assert all(on.opened(name) is not None for name in ALL)
