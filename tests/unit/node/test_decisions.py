from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sealane.core.clock import ManualClock
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.governance.agreement import verify_agreement
from sealane.governance.contract import Contract
from sealane.governance.signed_statement import verify_refusal
from sealane.governance.study import Study
from sealane.node.datasets import add_dataset
from sealane.node.decisions import Decisions
from sealane.node.grading import grade
from sealane.node.ledger import NodeLedger
from sealane.node.register import Register

Make = Callable[..., Study]


@pytest.fixture
def add(tmp_path: Path, register: Register, contract: Contract, clock: ManualClock) -> Callable[..., Path]:
    def run(name: str = "loans", income: int = 5) -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text(f"bad,income,grade\n1,{income},A\n")
        add_dataset(register, name, str(path), contract.id, {}, now=clock())
        grade(register, name, accept=True)
        return path
    return run


@pytest.fixture
def decisions(register: Register, keys: dict[str, SigningKey], clock: ManualClock) -> Decisions:
    register.trust("south", keys["south"].fingerprint)
    register.trust("west", keys["west"].fingerprint)
    return Decisions(register, "north", keys["north"], clock, NodeLedger(":memory:", clock))


def code_of(call: Callable[[], object], branch: type[SealaneError] = RefusedError) -> str:
    with pytest.raises(branch) as caught:
        call()
    return caught.value.code


def test_approving_signs_the_only_dataset_that_fits(register: Register, decisions: Decisions, make: Make,
                                                    add: Callable[..., Path]) -> None:
    add()
    study = register.record_study(make().canonical())
    signed = decisions.approve(study.hash[:12])
    approval = verify_agreement(signed, study)
    assert approval.dataset_version == register.dataset("loans").version
    assert (approval.node, approval.dataset, approval.waives_differencing) == ("north", "loans", False)
    assert approval.signed_at == "2026-06-01T12:00:00Z"
    assert register.unsent() == [(study.hash, signed)]


def test_approving_again_changes_nothing(register: Register, decisions: Decisions, make: Make, clock: ManualClock,
                                         add: Callable[..., Path]) -> None:
    add()
    study = register.record_study(make().canonical())
    signed = decisions.approve(study.hash)
    clock.advance(timedelta(hours=1))
    assert decisions.approve(study.hash) == signed
    assert code_of(lambda: decisions.approve(study.hash, waive_differencing=True)) == "study.approved-otherwise"
    assert register.statements(study.hash) == [signed]


def test_the_choice_of_dataset(register: Register, decisions: Decisions, make: Make, add: Callable[..., Path]) -> None:
    study = register.record_study(make().canonical())
    assert code_of(lambda: decisions.approve(study.hash), InputError) == "dataset.choice-open"
    add("loans")
    add("others", 7)
    assert code_of(lambda: decisions.approve(study.hash), InputError) == "dataset.choice-open"
    assert code_of(lambda: decisions.approve(study.hash, dataset="none"), InputError) == "dataset.unknown"
    assert verify_agreement(decisions.approve(study.hash, dataset="others"), study).dataset == "others"
    other = register.record_study(make(data_contract="test.other/v1").canonical())
    assert code_of(lambda: decisions.approve(other.hash, dataset="loans")) == "dataset.other-contract"


def test_nothing_is_signed_against_policy(register: Register, decisions: Decisions, make: Make, clock: ManualClock,
                                          add: Callable[..., Path]) -> None:
    path = add()
    study = register.record_study(make().canonical())
    register.distrust("west")
    assert code_of(lambda: decisions.approve(study.hash)) == "study.unverified-peer"
    register.trust("west", next(p.fingerprint for p in study.participants if p.name == "west"))
    odd = register.record_study(make(purpose="marketing").canonical())
    assert code_of(lambda: decisions.approve(odd.hash), InputError) == "study.unknown-purpose"
    assert code_of(lambda: decisions.approve("0" * 64), InputError) == "study.unknown"
    path.write_text("bad,income,grade\n0,6,A\n")
    assert code_of(lambda: decisions.approve(study.hash)) == "dataset.changed"
    clock.advance(timedelta(days=60))
    assert code_of(lambda: decisions.approve(study.hash)) == "study.expired"
    assert register.unsent() == []


def test_nothing_is_signed_that_would_be_over_already(register: Register, decisions: Decisions, make: Make,
                                                      add: Callable[..., Path]) -> None:
    add()
    study = register.record_study(make().canonical())
    for end in ("2026-05-31", "2026-06-01T12:00:00Z"):
        own = {"expires": end}
        assert code_of(lambda own=own: decisions.approve(study.hash, own=own), InputError) == "agreement.already-over"
    assert register.unsent() == []
    signed = decisions.approve(study.hash, own={"expires": "2026-06-01"})
    assert verify_agreement(signed, study).terms.expires == "2026-06-01T23:59:59Z"


def test_revoking_is_final_and_possible_at_any_time(register: Register, decisions: Decisions, make: Make,
                                                    clock: ManualClock, add: Callable[..., Path]) -> None:
    add()
    study = register.record_study(make().canonical())
    decisions.approve(study.hash)
    clock.advance(timedelta(days=60))
    register.distrust("west")
    signed = decisions.refuse(study.hash, "consent withdrawn")
    assert verify_refusal(signed, study).reason == "consent withdrawn"
    assert decisions.refuse(study.hash, "again") == signed
    assert register.revoked(study.hash)
    clock.advance(timedelta(days=-60))
    register.trust("west", next(p.fingerprint for p in study.participants if p.name == "west"))
    assert code_of(lambda: decisions.approve(study.hash)) == "study.refused-before"


def test_refusals_that_make_no_sense(register: Register, make: Make, keys: dict[str, SigningKey],
                                     clock: ManualClock) -> None:
    study = register.record_study(make().canonical())
    ledger = NodeLedger(":memory:", clock)
    assert code_of(lambda: Decisions(register, "mars", keys["north"], clock, ledger).refuse(study.hash),
                   InputError) == "study.nothing-to-refuse"
    assert code_of(lambda: Decisions(register, "north", keys["north"], clock, ledger).refuse(study.hash, "x" * 501),
                   InputError) == "refusal.reason-too-long"


def test_nothing_is_signed_that_could_not_be_computed(register: Register, decisions: Decisions, make: Make,
                                                      add: Callable[..., Path]) -> None:
    add()
    fit = {"outcome": "bad", "features": ["income"], "family": "binomial"}
    for code, branch, changes in [
        ("computation.unknown", InputError, {"computation": "glm.guess"}),
        ("computation.bad-parameters", InputError, {"parameters": {"outcome": "bad"}}),
        ("contract.unknown-field", InputError, {"parameters": fit | {"features": ["incomes"]}}),
        ("dataset.column-absent", RefusedError, {"parameters": fit | {"features": ["loans"]}}),
    ]:
        study = register.record_study(make(**changes).canonical())
        assert code_of(lambda study=study: decisions.approve(study.hash), branch) == code
        assert register.own_statement(study.hash) is None


@pytest.mark.parametrize(("promise", "code"), [
    ({"computation": "statistics.table"}, "study.price-exceeded"),
    ({"computation": "statistics.describe", "parameters": {"columns": ["grade"]}}, "study.not-private"),
])
def test_a_study_that_costs_more_than_it_promises_is_not_approved(
    register: Register, decisions: Decisions, make: Make, add: Callable[..., Path], promise: dict[str, object],
    code: str
) -> None:
    add()
    table = {"columns": ["grade"], "epsilon": "2", "delta": "1e-6"}
    dear = make(**({"parameters": table, "epsilon": "1", "delta": "1e-6"} | promise))
    study = register.record_study(dear.canonical())
    assert code_of(lambda: decisions.approve(study.hash)) == code
    assert register.own_statement(study.hash) is None
    allowed = register.record_study(make(computation="statistics.table", parameters=table, epsilon="2",
                                         delta="1e-6", name="allowed").canonical())
    assert decisions.approve(allowed.hash)
