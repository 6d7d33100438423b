"""9. Illegal moves of a dataset are refused and change nothing that is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loans import loans
from steward import Steward

from sealane.core.clock import ManualClock
from sealane.errors import RefusedError
from sealane.node.grading import grade, publish


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    yield made
    made.register.close()


def stored(steward: Steward) -> str:
    db = sqlite3.connect(steward.root / "node.sqlite")
    try:
        return "\n".join(db.iterdump())
    finally:
        db.close()


def profiled(steward: Steward) -> None:
    steward.add()


def stale(steward: Steward) -> None:
    steward.add()
    steward.label()
    steward.add(loans(2, 300))


def withdrawn(steward: Steward) -> None:
    steward.add()
    steward.label()
    assert steward.register.remove_dataset("loans")


def unprofiled(steward: Steward) -> None:
    from dataclasses import replace

    steward.add()
    steward.register.put_dataset(replace(steward.register.dataset("loans"), version="e" * 64))


def version_of(steward: Steward) -> str:
    life = steward.register.lives.life("loans")
    assert life is not None
    return life.version


MOVES: dict[str, tuple[Callable[[Steward], None], Callable[[Steward], object]]] = {
    "publish what is profiled": (profiled, lambda steward: publish(steward.register, "loans")),
    "publish what is stale": (stale, lambda steward: publish(steward.register, "loans")),
    "grade what is not profiled": (unprofiled, lambda steward: grade(steward.register, "loans", accept=True)),
    "grade what is withdrawn": (withdrawn, lambda steward: steward.register.lives.grade(
        "loans", version_of(steward), steward.register.lives.labels_before("loans", "0" * 64))),
    "publish what is withdrawn": (withdrawn, lambda steward: steward.register.lives.publish("loans")),
    "profile what is withdrawn": (withdrawn, lambda steward: steward.register.lives.profile(
        "loans", version_of(steward), "c", steward.register.lives.profile_before("loans", "0" * 64)[1])),  # type: ignore[index]
}


@pytest.mark.parametrize("move", MOVES)
def test_invariant_09_an_illegal_move_of_a_dataset_changes_nothing(move: str, steward: Steward) -> None:
    prepare, act = MOVES[move]
    prepare(steward)
    before = stored(steward)
    with pytest.raises(RefusedError):
        act(steward)
    assert stored(steward) == before


def test_invariant_09_a_dataset_is_withdrawn_once(steward: Steward) -> None:
    withdrawn(steward)
    before = stored(steward)
    assert not steward.register.remove_dataset("loans")
    assert stored(steward) == before
    assert steward.refusal(steward.study()) == "dataset.choice-open"
