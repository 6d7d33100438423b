"""9. Illegal state transitions are errors and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from circle import RUN, Circle, seed_of
from stage import Stage

from sealane.coordinator.run_state import RunState, step
from sealane.errors import ProtocolError
from sealane.node.journal import Journal
from sealane.secagg.coordinator_role import Gathering, accept_contribution, accept_release
from sealane.secagg.layout import plan
from sealane.secagg.terms import count

Build = Callable[..., Stage]


def test_invariant_09_a_run_takes_no_step_that_the_design_does_not_name() -> None:
    codes = []
    for old, new in product(RunState, RunState):
        try:
            assert step(old, new) is new
        except ProtocolError as error:
            codes.append(error.code)
    assert codes == ["run.illegal-transition"] * (49 - 15)
    for over in (RunState.COMPLETED, RunState.ABORTED):
        for new in RunState:
            with pytest.raises(ProtocolError):
                step(over, new)


def test_invariant_09_a_sum_is_left_as_it_was() -> None:
    circle = Circle(3)
    terms = [{"n": count([k], 10)} for k in range(3)]
    states = circle.contribute(plan(terms[0], 3), terms)
    released = circle.release(states)
    gathering = accept_contribution(Gathering(circle.attempt), circle.names[0], states[0].message)
    before = repr(gathering)
    stranger = next(name for name in Circle(4).names if name not in circle.names)
    for illegal in (
        lambda: accept_release(gathering, circle.names[0], released[0].message),
        lambda: accept_contribution(gathering, circle.names[0], replace(states[0].message, payload=bytes(8))),
        lambda: accept_contribution(gathering, stranger, states[0].message),
    ):
        with pytest.raises(ProtocolError):
            illegal()
        assert repr(gathering) == before
    with pytest.raises(AttributeError):
        gathering.arrived = {}  # type: ignore[misc]


def dump(journal: Journal) -> list[str]:
    return list(journal._db.iterdump())


def test_invariant_09_a_journal_is_left_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    journal.join(RUN, "11" * 32, seed_of("a"))
    journal.begin_attempt(RUN, 3, b"start")
    journal.contributed(RUN, 3, 0, b"h" * 32, seed_of("s"), b"payload")
    journal.released(RUN, 3, 0, b"d" * 32, seed_of("s"), whole_cohort=True)
    before = dump(journal)
    for illegal in (
        lambda: journal.begin_attempt(RUN, 3, b"again"),
        lambda: journal.begin_attempt(RUN, 4, b"next"),
        lambda: journal.released(RUN, 3, 0, b"e" * 32, seed_of("s"), whole_cohort=True),
        lambda: journal.released(RUN, 2, 0, b"d" * 32, seed_of("s"), whole_cohort=True),
        lambda: journal.join(RUN, "22" * 32, seed_of("b")),
    ):
        with pytest.raises(ProtocolError):
            illegal()
        assert dump(journal) == before
    journal.end(RUN)
    before = dump(journal)
    with pytest.raises(ProtocolError):
        journal.begin_attempt(RUN, 9, b"after")
    assert dump(journal) == before


async def test_invariant_09_a_node_that_refuses_can_still_be_told_the_truth(stage: Build) -> None:
    on = stage()
    await on.offer()
    await on.tell("a", on.start(("b", "c", "d")))
    await on.tell("a", on.start(("a", "b")))
    assert on.nodes["a"].journal.run(RUN).attempt == -1  # type: ignore[union-attr]
    await on.begin()
    await on.announce()
    await on.relay()
    assert all(on.opened(name) is not None for name in on.names)
