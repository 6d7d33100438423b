"""Refused calls are leaves: one for each party, code and hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from sealane.coordinator.authentication import admit, admit_logged
from sealane.coordinator.registry import Registry
from sealane.coordinator.store import Store
from sealane.core.clock import ManualClock
from sealane.errors import RefusedError
from sealane.rpc.certificates import Certificate


def shown(clock: ManualClock, name: str, role: str = "auditor") -> Certificate:
    return Certificate(name, role, "aa", "ab" * 32, clock() - timedelta(minutes=5), clock() + timedelta(days=90))


def test_one_leaf_for_each_party_code_and_hour(engine: Engine, clock: ManualClock) -> None:
    registry, store = Registry(engine, clock), Store(engine, clock)
    for _ in range(3):
        for name in ("vera", "otto"):
            with pytest.raises(RefusedError, match="not registered"):
                admit_logged(shown(clock, name), registry, {"analyst"})
        registry = Registry(engine, clock)  # a restart forgets nothing: the log is asked
    leaves = [(e.kind, e.party, e.subject, e.detail) for e in store.log.events(0, 100)]
    assert leaves == [("call.refused", name, "ab" * 32, "auditor auth.not-registered") for name in ("vera", "otto")]
    clock.advance(timedelta(hours=1))
    with pytest.raises(RefusedError):
        admit_logged(shown(clock, "vera"), registry, {"analyst"})
    assert len(store.log.events(0, 100)) == 3


def test_what_is_asked_every_second_makes_no_leaf(engine: Engine, clock: ManualClock) -> None:
    with pytest.raises(RefusedError):
        admit(shown(clock, "vera"), Registry(engine, clock), {"analyst"})
    assert Store(engine, clock).log.events(0, 100) == []


def test_a_database_that_does_not_answer_changes_no_refusal(engine: Engine, clock: ManualClock) -> None:
    registry, store = Registry(engine, clock), Store(engine, clock)
    error = RefusedError("auth.role", "for others")
    with engine.connect() as db:
        db.exec_driver_sql("DROP TABLE log_leaves")
    registry.refused.note("vera", "auditor", "ab" * 32, error)
    store = Store(engine, clock)  # makes the table again
    registry.refused.note("vera", "auditor", "ab" * 32, error)
    assert len(store.log.events(0, 100)) == 1
