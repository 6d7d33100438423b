"""Under ``rlwe`` a run goes on without a node that does not release; the coordinator never leaves one out before."""

from __future__ import annotations

import pytest
from circle import Circle, announce

from sealane.coordinator.exchanges import Exchanges
from sealane.secagg.layout import plan
from sealane.secagg.messages import Arrival, Opening
from sealane.secagg.terms import count

SIZE = 4
TERMS = [{"n": count([k, -k], 10, signed=True)} for k in range(SIZE)]
LAYOUT = plan(TERMS[0], SIZE)


@pytest.mark.parametrize(("scheme", "opens"), [("masking", False), ("rlwe", True)])
def test_who_does_not_release_is_not_waited_for_where_the_rest_are_enough(scheme: str, opens: bool) -> None:
    circle = Circle(SIZE, scheme=scheme)
    at = Exchanges(circle.attempt)
    states = circle.contribute(LAYOUT, TERMS)
    told = [relay for name, state in zip(circle.names, states, strict=True)
            for relay in at.contribute(name, state.message)]
    assert dict(told) == announce(states, circle.names)
    released = circle.release(states)
    assert list(at.hasten()) == []
    for k in (0, 1):
        assert list(at.release(circle.names[k], released[k].message)) == []  # type: ignore[arg-type]
    assert list(at.hasten()) == []  # two of four are too few in any scheme
    assert list(at.release(circle.names[2], released[2].message)) == []  # type: ignore[arg-type]
    hastened = dict(at.hasten())
    assert bool(hastened) is opens
    if not opens:
        return
    assert at.missing == set(circle.names)  # nothing is under way: all compute
    assert list(at.hasten()) == []
    for name, message in hastened.items():
        assert isinstance(message, Opening)
        assert message.sealed.keys() == set(circle.names[:3]) - {name}
        k = circle.names.index(name)
        opened = circle.roles[k].open(released[k], message)
        assert opened.total.tolist() == [[6, 2**64 - 6]]  # type: ignore[union-attr]
    # Its late release changes nothing, and it is told what it missed when it comes back.
    assert list(at.release(circle.names[3], released[3].message)) == []  # type: ignore[arg-type]
    again = list(at.again(circle.names[3]))
    assert [type(message) for message in again] == [Arrival, Opening]
    assert again[1] == hastened[circle.names[3]]
