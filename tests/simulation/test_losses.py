"""Nodes that do not come back: before anything may have opened, and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stage import Federation, first_step

from sealane.coordinator.run_facts import Patience
from sealane.coordinator.run_state import RunState
from sealane.errors import UnavailableError
from sealane.secagg.messages import Contribution, Opening, Release, SealedResult, Start
from sealane.simulation.faults import Fault

Federate = Callable[..., Federation]
SHORT = Patience(round_s=0.4, nudge_s=0.04, silent_s=3.0)


def survivors(fed: Federation, lost: str) -> list[float]:
    return first_step({name: frame for name, frame in fed.data.items() if name != lost})


@pytest.mark.parametrize("message", ["RunOffer", "Join", "Start", "Introduction", "Introduced", "Contribution"])
def test_lost_before_anything_opened_the_rest_begin_anew(message: str, federation: Federate) -> None:
    fed = federation(patience=SHORT)
    result = fed.run(Fault("crash", node="west", message=message, seconds=-1))
    assert result.steps[0][:3] == survivors(fed, "west")
    assert set(result.trace.cohort) == {"north", "south", "east"}
    last = max(start.attempt for _, start in fed.seen(Start))
    # What was contributed in an earlier attempt stays closed: nobody released there, and the bytes are others.
    assert {release.attempt for _, release in fed.seen(Release)} == {last}
    first = [c.payload for _, c in fed.seen(Contribution) if c.attempt < last]
    again = [c.payload for _, c in fed.seen(Contribution) if c.attempt == last]
    assert not set(first) & set(again)


@pytest.mark.parametrize("message", ["RunOffer", "Start", "Introduction"])
def test_lost_before_anybody_uploaded_the_rest_begin_anew_under_rlwe_too(message: str, federation: Federate) -> None:
    fed = federation(patience=Patience(round_s=0.8, nudge_s=0.04, silent_s=5.0))
    result = fed.run(Fault("crash", node="west", message=message, seconds=-1), scheme="rlwe")
    assert result.steps[0][:3] == survivors(fed, "west")
    assert {release.attempt for _, release in fed.seen(Release)} == {max(start.attempt for _, start in fed.seen(Start))}


def test_a_node_that_returns_to_a_run_that_went_on_is_not_let_in(federation: Federate) -> None:
    fed = federation(patience=SHORT)
    result = fed.run(Fault("crash", node="west", message="Contribution", seconds=0.5),
                     Fault("delay", message="Contribution", exchange=2, seconds=0.3))
    assert set(result.trace.cohort) == {"north", "south", "east"}
    assert result.steps[0][:3] == survivors(fed, "west")


@pytest.mark.parametrize("message", ["Arrival", "Release", "Opening", "Proposal"])
def test_lost_after_something_may_have_opened_it_is_waited_for_and_the_run_pauses(
    message: str, federation: Federate
) -> None:
    fed = federation(patience=SHORT)
    # The last of the four: a message that another node's loss would make the first of a new attempt is not lost here.
    error = fed.fails(Fault("crash", node=fed.by_rank[-1], message=message, seconds=-1))
    assert isinstance(error, UnavailableError)
    assert error.code == "run.node-lost"
    assert error.got == fed.by_rank[-1]
    assert error.hint is not None
    assert "sealane run resume" in error.hint
    assert fed.engine.runs.facts is not None
    assert fed.engine.runs.facts.state is RunState.PAUSED
    assert {start.attempt for _, start in fed.seen(Start)} == {0}
    assert fed.seen(SealedResult) == []


def test_lost_in_a_later_round_the_cohort_stays_fixed(federation: Federate) -> None:
    fed = federation(patience=SHORT)
    error = fed.fails(Fault("crash", node="west", message="Contribution", exchange=2, seconds=-1))
    assert (error.code, error.got) == ("run.node-lost", "west")
    assert {start.attempt for _, start in fed.seen(Start)} == {0}


def test_lost_below_the_minimum_cohort_nothing_begins_anew(federation: Federate) -> None:
    fed = federation(patience=SHORT)
    error = fed.fails(Fault("crash", node="west", message="Contribution", seconds=-1), minimum_cohort=4)
    assert (error.code, error.got) == ("run.node-lost", "west")
    assert fed.seen(Release) == []
    assert fed.engine.runs.facts is not None
    assert fed.engine.runs.facts.state is RunState.PAUSED


def test_two_lost_of_four_are_too_many(federation: Federate) -> None:
    fed = federation(patience=SHORT)
    error = fed.fails(Fault("crash", node="west", message="Start", seconds=-1),
                      Fault("crash", node="east", message="Start", seconds=-1))
    assert error.code == "run.node-lost"
    assert set((error.got or "").split(", ")) == {"west", "east"}
    assert fed.seen(Release) == []


def test_a_release_that_is_withheld_opens_at_nobody(federation: Federate) -> None:
    fed = federation(patience=SHORT)
    error = fed.fails(Fault("drop", node="west", message="Release", times=-1))
    assert (error.code, error.got) == ("run.node-lost", "west")
    assert fed.seen(Opening) == []
    run = fed.engine.run_id
    assert [node.journal.exchange(run, 0, 0).total for node in fed.nodes.values()] == [None] * 4  # type: ignore[union-attr]
