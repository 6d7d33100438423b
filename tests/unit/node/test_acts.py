"""What becomes an act of the node: within the transaction of what it tells of, and never more than an hour may have."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import signed

from sealane.audit.entry import Entry, statement_digest
from sealane.audit.merkle import leaf_hash
from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError
from sealane.governance.study import Study
from sealane.node import standing
from sealane.node.acts import ActsLog
from sealane.node.ledger import NodeLedger
from sealane.node.ledger_heads import record_joined, record_over, record_reserved
from sealane.node.register import Register
from sealane.privacy.acts import Request
from sealane.privacy.ledger import make_cap

Keys = dict[str, SigningKey]
NO = RefusedError("study.expired", "canary-4711: the study has expired", got="canary-4711")


@pytest.fixture
def acts(register: Register, tmp_path: Path, keys: Keys, clock: ManualClock) -> ActsLog:
    return ActsLog(tmp_path / "node.sqlite", keys["north"].fingerprint, clock)


def told(acts: ActsLog) -> list[tuple[str, str, str]]:
    return [(one.kind, one.subject, one.detail) for one in acts.entries()]


def test_what_an_institution_signs(register: Register, acts: ActsLog, make: Callable[..., Study], keys: Keys) -> None:
    first, second = (register.record_study(make(name=name).canonical()) for name in ("first", "second"))
    agreed = signed.agreement(first, keys["north"], "north")
    for _ in range(2):
        register.record_statement(first.hash, agreed)
    register.record_statement(first.hash, signed.agreement(first, keys["west"], "west"))
    revoked, refused = signed.refusal(first, keys["north"], "north"), signed.refusal(second, keys["north"], "north")
    register.record_statement(first.hash, revoked)
    register.record_statement(second.hash, refused)
    digests = [statement_digest(s.body, s.public_key, s.signature) for s in (agreed, revoked, refused)]
    assert told(acts) == [("agreement.signed", first.hash, digests[0]), ("agreement.revoked", first.hash, digests[1]),
                          ("study.refused", second.hash, digests[2])]
    assert {one.party for one in acts.entries()} == {keys["north"].fingerprint}


def test_how_the_node_stands(register: Register, acts: ActsLog, make: Callable[..., Study]) -> None:
    study = register.record_study(make().canonical())
    for _ in range(2):
        register.standings.quarantine("canary-4711")
        register.standings.quarantine("again")
        register.standings.suspend(study.hash, "canary-4711")
        register.standings.resume(study.hash)
        register.standings.lift()
        register.standings.lift()
    assert [(kind, subject) for kind, subject, _ in told(acts)] == 2 * [
        ("node.quarantined", ""), ("agreement.suspended", study.hash), ("agreement.resumed", study.hash),
        ("node.reinstated", "")]
    assert b"canary" not in b"".join(one.canonical() for one in acts.entries())


def test_refusals_by_code_and_clause_and_so_many_an_hour(register: Register, acts: ActsLog, clock: ManualClock,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "ACTS_AN_HOUR", 3)
    for number in range(9):
        register.record_refusal(f"r-{number}", "", "round", "time", NO)
    assert told(acts) == [("run.refused", f"r-{number}", "round study.expired time") for number in range(3)]
    clock.advance(timedelta(hours=1))
    register.record_refusal("r-9", "", "round", "time", NO)
    assert told(acts)[3:] == [("run.refused", "r-9", "round study.expired time")]
    assert len(register.standings.refusals("r-")) == 10


def test_an_act_and_what_it_tells_of_are_one_transaction(register: Register, acts: ActsLog,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(entry: Entry) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Entry, "canonical", fail)
    with pytest.raises(MemoryError):
        register.standings.quarantine("")
    monkeypatch.undo()
    assert register.standings.quarantined() is None
    assert acts.head().count == 0


def test_the_root_is_that_of_a_second_writing(register: Register, acts: ActsLog) -> None:
    for number in range(3):
        acts.record("run.cohort", f"r-{number}")
    one, two, three = (leaf_hash(entry.canonical()) for entry in acts.entries())
    pair = hashlib.sha256(b"\x01" + one + two).digest()
    assert [acts.root(1), acts.root(2)] == [one, pair]
    assert acts.head().root == hashlib.sha256(b"\x01" + pair + three).digest()
    acts.record("run.cohort", "r-2")
    assert acts.head().count == 3


def test_heads_of_the_ledger(register: Register, acts: ActsLog, clock: ManualClock, tmp_path: Path) -> None:
    ledger = NodeLedger(tmp_path / "ledger.sqlite", clock)
    ledger.put_cap(make_cap("loans", "dataset", "", "", Decimal(1), Decimal("1e-6"), None))
    heads = [ledger.head()]
    record_joined(ledger, "r-1", acts.record)
    ledger.reserve(Request(run="r-1", dataset="loans", version="0" * 64, study="5" * 64, recipients=(("ana", "f"),),
                           computation="glm.fit", price=None, rows=""))
    heads.append(ledger.head())
    record_reserved(ledger, "r-1", acts.record)
    ledger.commit("r-1", 0)
    ledger.void("r-1")
    heads.append(ledger.head())
    for run in ("r-1", "r-unknown"):
        record_over(ledger, run, register.record_act)
    assert [head.number for head in heads] == [1, 2, 4]
    assert told(acts) == [(kind, "r-1", f"line {head.number} {head.hash}") for kind, head in zip(
        ("ledger.head", "budget.reserved", "budget.charged"), heads, strict=True)]
