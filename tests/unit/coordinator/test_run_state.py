"""The steps of a run, all forty-nine of them: those the design names, and no others."""

from __future__ import annotations

from itertools import product

import pytest

from sealane.coordinator.run_state import RunState, step
from sealane.errors import ProtocolError

S = RunState
LEGAL = {
    (S.PROPOSED, S.ADMITTED), (S.PROPOSED, S.PAUSED), (S.PROPOSED, S.ABORTED),
    (S.ADMITTED, S.RUNNING), (S.ADMITTED, S.PAUSED), (S.ADMITTED, S.ABORTED),
    (S.RUNNING, S.PAUSED), (S.RUNNING, S.RELEASING), (S.RUNNING, S.ABORTED),
    (S.PAUSED, S.PROPOSED), (S.PAUSED, S.RUNNING), (S.PAUSED, S.ABORTED),
    (S.RELEASING, S.PAUSED), (S.RELEASING, S.COMPLETED), (S.RELEASING, S.ABORTED),
}


@pytest.mark.parametrize(("old", "new"), list(product(S, S)))
def test_every_step(old: RunState, new: RunState) -> None:
    if (old, new) in LEGAL:
        assert step(old, new) is new
        return
    with pytest.raises(ProtocolError) as caught:
        step(old, new)
    assert caught.value.code == "run.illegal-transition"
    assert caught.value.got == f"{old} to {new}"


def test_what_is_over() -> None:
    assert {state for state in S if state.over} == {S.COMPLETED, S.ABORTED}
    assert {old for old, _ in LEGAL} == set(S) - {S.COMPLETED, S.ABORTED}
