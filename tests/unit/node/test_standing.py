"""Quarantine, suspensions, refusals and permits in the node's register, and the step from the first schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import signed

from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.counter import MAXIMUM_COUNTERS, Counter, sign_counter
from sealane.governance.study import Study
from sealane.node import standing
from sealane.node.database import open_database
from sealane.node.decided import Decided
from sealane.node.register import Register
from sealane.node.register_schema import SCHEMA

Keys = dict[str, SigningKey]
Make = Callable[..., Study]
NO = RefusedError("study.expired", "the study has expired", got="then", expected="now", hint="again")


def test_all_of_it_survives_reopening(tmp_path: Path, make: Make, keys: Keys, clock: ManualClock) -> None:
    first = Register(tmp_path / "r.sqlite", keys["north"].fingerprint, clock)
    study = first.record_study(make().canonical())
    first.record_statement(study.hash, signed.refusal(study, keys["west"], "west"))
    assert first.standings.quarantine("break-in") is True
    assert first.standings.quarantine("another word") is False
    assert first.standings.suspend(study.hash, "audit") is True
    assert first.standings.suspend(study.hash, "audit") is False
    first.record_refusal("r-1", study.hash, "round", "time", NO)
    for _ in range(2):
        first.record_permits("r-1", {"round": 3, "release": 1})
    first.close()
    again = Register(tmp_path / "r.sqlite", keys["north"].fingerprint, clock)
    stands = again.standing(study.hash, "loans")
    assert (stands.quarantined, stands.suspended, stands.revoked, stands.dataset_version) == (
        "break-in", True, False, None)
    assert stands.withdrawn == {keys["west"].fingerprint}
    refusal, = again.standings.refusals("r-1")
    assert (refusal.run, refusal.study, refusal.moment, refusal.clause) == ("r-1", study.hash, "round", "time")
    assert refusal.error.to_dict() == NO.to_dict()
    assert [one.run for one in again.standings.refusals(study.hash)] == ["r-1"]
    assert again.standings.refusals("r-2") == []
    assert again.standings.permits("r-1") == {"release": 2, "round": 6}
    assert (again.standings.lift(), again.standings.lift()) == (True, False)
    assert (again.standings.resume(study.hash), again.standings.resume(study.hash)) == (True, False)
    assert again.standing(study.hash, "loans").quarantined is None
    again.close()


def test_a_write_shows_at_once_whoever_made_it(tmp_path: Path, make: Make, keys: Keys, clock: ManualClock) -> None:
    here, elsewhere = (Register(tmp_path / "r.sqlite", keys["north"].fingerprint, clock) for _ in range(2))
    study = here.record_study(make().canonical())
    for writer in (here, elsewhere):
        assert here.standing(study.hash, "loans").quarantined is None
        writer.standings.quarantine("so")
        assert here.standing(study.hash, "loans").quarantined == "so"
        writer.standings.lift()
        assert here.standing(study.hash, "loans").quarantined is None
        writer.standings.suspend(study.hash, "audit")
        assert here.standing(study.hash, "loans").suspended
        assert not here.standing("another", "loans").suspended
        writer.standings.resume(study.hash)
        assert not here.standing(study.hash, "loans").suspended
    elsewhere.record_statement(study.hash, signed.refusal(study, keys["west"], "west"))
    assert here.standing(study.hash, "loans").withdrawn == {keys["west"].fingerprint}
    here.close()
    elsewhere.close()


def test_refusals_are_bounded(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "KEPT_REFUSALS", 3)
    for number in range(6):
        register.record_refusal(f"r-{number}", "", "round", "time", NO)
    assert [one.run for one in register.standings.refusals("r-")] == ["r-5", "r-4", "r-3"]


def test_a_refusal_signed_under_the_first_schema_still_stands(tmp_path: Path, make: Make, keys: Keys,
                                                              clock: ManualClock) -> None:
    """Agreements take the place of approvals, which are gone; what an institution refused stays refused."""
    path = tmp_path / "r.sqlite"
    study = make()
    said = signed.refusal(study, keys["north"], "north")
    with open_database(path, SCHEMA[:1]) as db:
        db.execute("INSERT INTO studies VALUES (?, ?, '', '')", (study.hash, study.canonical()))
        for kind, body in (("refusal", said.body), ("approval", b"{}")):
            db.execute("INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, 0, '')", (
                study.hash, keys["north"].fingerprint, kind, body, said.public_key, said.signature + kind.encode()))
    register = Register(path, keys["north"].fingerprint, clock)
    assert register.revoked(study.hash)
    assert len(register.statements(study.hash)) == 1
    register.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_counter_offers_are_kept_in_order_and_bounded(register: Register, make: Make, keys: Keys) -> None:
    study = register.record_study(make().canonical())

    def counter(count: int) -> object:
        return sign_counter(keys["south"], Counter(study.hash, "south", keys["south"].fingerprint,
                                                   {"minimum_count": count}, "", signed.AT))

    said = [counter(20 + number) for number in range(MAXIMUM_COUNTERS)]
    for one in [*said, *said]:
        register.record_statement(study.hash, one)  # type: ignore[arg-type]
    assert register.statements(study.hash) == said
    with pytest.raises(ProtocolError) as caught:
        register.record_statement(study.hash, counter(99))  # type: ignore[arg-type]
    assert caught.value.code == "counter.too-many"
    assert register.own_statement(study.hash) is None
    assert register.agreements(study.hash) == []


def test_decisions_are_noted_as_they_end(register: Register) -> None:
    decided = Decided(register)
    for _ in range(3):
        with decided.asked("r-1", "s", "round"):
            pass
    assert register.standings.permits("r-1") == {}  # counted, and written at the next milestone
    with pytest.raises(RefusedError) as caught, decided.asked("r-1", "s", "release"):
        raise NO
    assert caught.value is NO
    assert register.standings.permits("r-1") == {"round": 3}
    assert [(one.moment, one.clause) for one in register.standings.refusals("r-1")] == [("release", "time")]
    with decided.asked("r-2", "s", "admission"):
        pass
    assert register.standings.permits("r-2") == {"admission": 1}
