"""What the coordinator relays, repeats, forgets and refuses of an attempt's exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from circle import Circle, announce, relay

from sealane.coordinator.exchanges import LARGEST_HELD, Exchanges
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.layout import plan
from sealane.secagg.messages import Arrival, Contribution, Delivery, Letters, Opening, Proposal, Release
from sealane.secagg.terms import count

TERMS = [{"n": count([k], 10)} for k in range(3)]
LAYOUT = plan(TERMS[0], 3)


class Said:
    """What three nodes would say in exchange ``number``."""

    def __init__(self, number: int = 0) -> None:
        self.circle = Circle(3)
        self.names = self.circle.names
        self.states = self.circle.contribute(LAYOUT, TERMS, exchange=number, salt=number)
        self.released = self.circle.release(self.states)
        self.arrivals = announce(self.states, self.names)
        self.openings = relay(self.names, self.released)

    def contribution(self, k: int) -> Contribution:
        return self.states[k].message

    def release(self, k: int) -> Release:
        return self.released[k].message

    def proposal(self, number: int, value: float = 1.0) -> Proposal:
        return self.circle.roles[0].propose(number, self.circle.attempt.transcript(),
                                            np.array([value]).astype("<f8").tobytes())


def empty() -> Exchanges:
    return Exchanges(Circle(3).attempt)


def contribute(at: Exchanges, said: Said, who: Sequence[int] = (0, 1, 2)) -> list[tuple[Fingerprint, object]]:
    return [relayed for k in who for relayed in at.contribute(said.names[k], said.contribution(k))]


def release(at: Exchanges, said: Said, who: Sequence[int] = (0, 1, 2)) -> list[tuple[Fingerprint, object]]:
    return [relayed for k in who for relayed in at.release(said.names[k], said.release(k))]


def test_a_sum_from_the_first_contribution_to_the_last_release() -> None:
    at, said = empty(), Said()
    assert at.missing == set(said.names)
    assert contribute(at, said, (0, 1)) == []
    assert at.missing == {said.names[2]}
    assert dict(contribute(at, said, (2,))) == said.arrivals
    assert (at.settled, at.missing) == (0, set(said.names))
    assert release(at, said, (0, 1)) == []
    assert dict(release(at, said, (2,))) == said.openings
    assert (at.missing, at.accepted, at.finished) == (set(said.names), 6, 1)  # all compute what comes next


def test_duplicates_are_counted_and_announced_once() -> None:
    at, said = empty(), Said()
    contribute(at, said)
    assert contribute(at, said) == []
    release(at, said)
    assert release(at, said) == []
    assert contribute(at, said) == []
    assert (at.accepted, at.duplicate) == (6, 9)


def test_a_second_answer_that_differs_is_refused_and_changes_nothing() -> None:
    at, said = empty(), Said()
    contribute(at, said, (0,))
    other = replace(said.contribution(0), payload=bytes(8))
    with pytest.raises(ProtocolError) as caught:
        list(at.contribute(said.names[0], other))
    assert caught.value.code == "run.equivocation"
    assert dict(contribute(at, said, (1, 2))) == said.arrivals
    proposal = said.proposal(1)
    list(at.propose(said.names[0], proposal))
    with pytest.raises(ProtocolError) as caught:
        list(at.propose(said.names[0], said.proposal(1, 2.0)))
    assert caught.value.code == "run.equivocation"
    assert at.proposals[1] == proposal


def test_only_the_first_member_proposes_and_the_others_hear() -> None:
    at, said = empty(), Said()
    proposal = said.proposal(0)
    with pytest.raises(ProtocolError) as caught:
        list(at.propose(said.names[1], proposal))
    assert caught.value.code == "run.not-proposer"
    assert list(at.propose(said.names[0], proposal)) == [(name, proposal) for name in said.names[1:]]
    assert list(at.propose(said.names[0], proposal)) == []
    assert at.finished == 1


def test_what_everybody_is_past_is_forgotten() -> None:
    at, first, second = empty(), Said(0), Said(2)
    contribute(at, first)
    release(at, first)
    list(at.propose(first.names[0], first.proposal(1)))
    contribute(at, second, (0, 1))
    assert set(at.sums) == {0, 2}
    assert set(at.proposals) == {1}
    contribute(at, second, (2,))
    assert set(at.sums) == {2}
    assert at.proposals == {}
    before = at.late
    assert contribute(at, first, (0,)) == []
    assert release(at, first, (0,)) == []
    assert list(at.propose(first.names[0], first.proposal(1))) == []
    assert at.late == before + 3


def test_a_member_that_missed_something_is_told_again() -> None:
    at, said = empty(), Said()
    name = said.names[1]
    assert list(at.again(name)) == []
    contribute(at, said, (0,))
    assert list(at.again(name)) == []
    contribute(at, said, (1, 2))
    assert list(at.again(name)) == [said.arrivals[name]]
    release(at, said)
    proposal = said.proposal(1)
    list(at.propose(said.names[0], proposal))
    assert list(at.again(name)) == [said.arrivals[name], said.openings[name], proposal]
    told = [type(message) for message in at.again(said.names[0])]
    assert told == [Arrival, Opening]  # its own proposal it knows


def test_after_a_restart_releases_may_come_before_contributions() -> None:
    at, said = empty(), Said()
    assert release(at, said, (0, 1)) == []
    told = contribute(at, said) + release(at, said, (2,))
    assert dict(told[:3]) == said.arrivals
    assert dict(told[3:]) == said.openings


def test_a_sum_far_ahead_does_not_hide_whom_the_present_one_waits_for() -> None:
    at, said = empty(), Said()
    contribute(at, said, (0, 1))
    ahead = replace(said.contribution(0), exchange=1_000_000)
    list(at.contribute(said.names[0], ahead))
    assert at.missing == {said.names[2]}


def test_a_node_that_runs_ahead_is_refused_by_name_and_the_others_go_on() -> None:
    at, said = empty(), Said()
    liar = said.names[0]
    list(at.contribute(liar, said.contribution(0)))
    list(at.contribute(liar, replace(said.contribution(0), exchange=5)))
    with pytest.raises(ProtocolError) as caught:
        list(at.contribute(liar, replace(said.contribution(0), exchange=6)))
    assert caught.value.code == "run.exchange-ahead"
    assert liar in str(caught.value.got)
    list(at.contribute(liar, said.contribution(0)))  # what it holds already it may repeat
    assert dict(contribute(at, said, (1, 2))) == said.arrivals


def test_releases_far_ahead_are_bounded_too() -> None:
    at, said = empty(), Said()
    for number in (3, 4):
        list(at.release(said.names[1], replace(said.release(1), exchange=number)))
    with pytest.raises(ProtocolError) as caught:
        list(at.release(said.names[1], replace(said.release(1), exchange=5)))
    assert caught.value.code == "run.exchange-ahead"


def test_proposals_far_ahead_are_bounded_too() -> None:
    at, said = empty(), Said()
    proposal = said.proposal(0)
    for number in range(LARGEST_HELD):
        list(at.propose(said.names[0], replace(proposal, exchange=number)))
    with pytest.raises(ProtocolError) as caught:
        list(at.propose(said.names[0], replace(proposal, exchange=LARGEST_HELD)))
    assert caught.value.code == "run.exchange-ahead"


def written(circle: Circle, number: int = 0) -> list[Letters]:
    transcript = circle.attempt.transcript()
    return [role.write(number, transcript, {circle.names[(k + 1) % 3]: b"text"}, bytes(32))
            for k, role in enumerate(circle.roles)]


def test_letters_wait_until_all_members_wrote() -> None:
    circle = Circle(3, scheme="none")
    at, letters = Exchanges(circle.attempt), written(circle)
    assert list(at.write(circle.names[0], letters[0])) == list(at.write(circle.names[1], letters[1])) == []
    assert (at.missing, at.begun, at.finished) == ({circle.names[2]}, True, 0)
    told = dict(at.write(circle.names[2], letters[2]))
    assert told.keys() == set(circle.names)
    first = told[circle.names[0]]
    assert isinstance(first, Delivery)
    assert first.sealed == {circle.names[2]: letters[2].sealed[circle.names[0]]}
    assert (at.settled, at.finished, at.accepted) == (0, 1, 3)
    assert list(at.write(circle.names[2], letters[2])) == []
    assert at.duplicate == 1
    assert list(at.again(circle.names[0])) == [first]


def test_letters_of_an_exchange_that_is_over_are_forgotten() -> None:
    circle = Circle(3, scheme="none")
    at = Exchanges(circle.attempt)
    for number in (0, 1):
        for name, message in zip(circle.names, written(circle, number), strict=True):
            list(at.write(name, message))
    assert sorted(at.letters) == [1]
    assert list(at.write(circle.names[0], written(circle, 0)[0])) == []
    assert at.late == 1


def test_what_is_refused_of_letters() -> None:
    circle = Circle(3, scheme="none")
    at, letters = Exchanges(circle.attempt), written(circle)
    list(at.write(circle.names[0], letters[0]))
    list(at.write(circle.names[0], written(circle, 1)[0]))  # a node may be one exchange ahead
    for message, code in ((replace(letters[0], signature=bytes(64)), "run.equivocation"),
                          (written(circle, 2)[0], "run.exchange-ahead")):
        with pytest.raises(ProtocolError) as caught:
            list(at.write(circle.names[0], message))
        assert caught.value.code == code
    with pytest.raises(ProtocolError) as caught:
        list(empty().write(circle.names[0], letters[0]))
    assert caught.value.code == "run.letters-refused"
