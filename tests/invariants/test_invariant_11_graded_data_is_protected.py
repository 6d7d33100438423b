"""11. Data graded above what an agreement's protection allows, and recipients across a border without a recorded
filing, are refused by default: when a study is approved, and again when a run is offered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from loans import loans
from steward import Steward

import sealane.computations.registry as registry
from sealane.core.clock import ManualClock
from sealane.errors import RefusedError
from sealane.node.grading import file, publish


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    yield made
    made.register.close()


def at_admission(steward: Steward, study: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        steward.admit(study)
    return caught.value.code


def test_invariant_11_ungraded_data_is_not_used(steward: Steward) -> None:
    steward.add()
    study = steward.study()
    assert steward.refusal(study) == "dataset.not-graded"
    steward.label()
    steward.approve(study)
    assert steward.admit(study).study == study


def test_invariant_11_published_data_is_used_and_stale_data_is_not(steward: Steward) -> None:
    steward.add()
    steward.label()
    publish(steward.register, "loans")
    study = steward.study()
    steward.approve(study)
    steward.add(loans(2, 300))
    assert at_admission(steward, study) == "dataset.changed"
    assert steward.refusal(steward.study(name="later")) == "dataset.not-graded"
    steward.label()
    steward.approve(steward.study(name="later"))


CLAUSES: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"term": "internal:5"}, {}, "protection.core-data"),
    ({"term": "internal:2:core"}, {}, "protection.core-data"),
    ({"bad": "internal:2", "int_rate": "internal:2", "term": "internal:2"},
     {"minimum_cohort": 2, "colluding": 0}, "protection.cohort-too-small"),
    ({"bad": "internal:3", "int_rate": "public:1", "term": "public:1"}, {"minimum_count": 9},
     "protection.count-too-small"),
    ({"int_rate": "personal:1", "bad": "public:1", "term": "public:1"}, {"minimum_count": 9},
     "protection.count-too-small"),
    ({"term": "internal:4"}, {}, "protection.sandbox-missing"),
    ({"term": "health:2"}, {}, "protection.sandbox-missing"),
]


@pytest.mark.parametrize(("labels", "changes", "code"), CLAUSES)
def test_invariant_11_each_clause_refuses_an_approval(labels: dict[str, str], changes: dict[str, Any], code: str,
                                                      steward: Steward) -> None:
    steward.add()
    steward.label(**labels)
    assert steward.refusal(steward.study(**changes)) == code
    # A column that the study does not use does not count, and neither does a clause that nothing asks for.
    steward.label(**dict.fromkeys(("bad", "int_rate", "term"), "public:1"), annual_inc="internal:5")
    steward.approve(steward.study(**changes))


@pytest.mark.parametrize(("labels", "changes", "code"), CLAUSES)
def test_invariant_11_each_clause_refuses_a_run_after_labels_were_raised(
    labels: dict[str, str], changes: dict[str, Any], code: str, steward: Steward
) -> None:
    steward.add()
    steward.label(**dict.fromkeys(("bad", "int_rate", "term"), "public:1"))
    study = steward.study(**changes)
    steward.approve(study)
    assert steward.admit(study).study == study
    steward.label(**labels)
    assert at_admission(steward, study) == code


def test_invariant_11_a_sandbox_opens_grade_4_and_no_more(steward: Steward) -> None:
    steward.sandboxed = True
    steward.add()
    steward.label(term="health:4")
    steward.approve(steward.study())
    steward.label(term="health:5")
    assert steward.refusal(steward.study(name="other")) == "protection.core-data"


def test_invariant_11_a_model_of_single_people_needs_noise(steward: Steward, monkeypatch: pytest.MonkeyPatch) -> None:
    steward.add()
    steward.label()
    monkeypatch.setattr(type(registry.get("glm.fit")), "individual_level", True)
    assert steward.refusal(steward.study()) == "protection.noise-missing"
    monkeypatch.delattr(type(registry.get("glm.fit")), "individual_level")  # undeclared is taken for one
    assert steward.refusal(steward.study()) == "protection.noise-missing"
    steward.label(**dict.fromkeys(("bad", "int_rate", "term"), "internal:2"))
    steward.approve(steward.study())


def test_invariant_11_important_data_needs_an_approval_on_record_and_stays_here(steward: Steward) -> None:
    steward.sandboxed = True
    steward.add()
    steward.label(term="internal:4:important")
    home = dict.fromkeys(("north", "south", "west", "alice"), "CN")
    steward.register.lives.set_jurisdiction("CN")
    assert steward.refusal(steward.study(jurisdictions=home)) == "protection.approval-missing"
    file(steward.register, "loans", jurisdiction=None, important=True, reference="committee 7")
    steward.approve(steward.study(jurisdictions=home))
    abroad = steward.study(name="abroad", jurisdictions=home | {"alice": "SG"})
    file(steward.register, "loans", jurisdiction="SG", important=False, reference="filing 3")
    assert steward.refusal(abroad) == "protection.foreign-recipient"


@pytest.mark.parametrize("party", ["alice", "south"])
def test_invariant_11_nobody_across_a_border_without_a_filing(party: str, steward: Steward) -> None:
    steward.add()
    steward.label()
    steward.register.lives.set_jurisdiction("CN")
    home = dict.fromkeys(("north", "south", "west", "alice"), "CN")
    steward.approve(steward.study(jurisdictions=home))
    study = steward.study(name="abroad", jurisdictions=home | {party: "SG"})
    assert steward.refusal(study) == "protection.border-without-filing"
    file(steward.register, "loans", jurisdiction="US", important=False, reference="another country's")
    assert steward.refusal(study) == "protection.border-without-filing"
    file(steward.register, "loans", jurisdiction="SG", important=False, reference="filing 3")
    steward.approve(study)
    assert steward.admit(study).study == study
    silent = {name: code for name, code in home.items() if name != party}
    assert steward.refusal(steward.study(name="silent", jurisdictions=silent)) == "protection.border-without-filing"


def test_invariant_11_quality_under_the_floor_is_refused(steward: Steward) -> None:
    frame = loans(1, 300)
    frame.loc[:149, "grade"] = None  # nullable: half of one field of the contract is missing
    steward.add(frame)
    steward.label()
    steward.approve(steward.study(quality_floor=0.9))
    assert steward.refusal(steward.study(quality_floor=0.999)) == "dataset.quality-too-low"


def test_invariant_11_labels_are_there_for_every_column_used(steward: Steward) -> None:
    steward.add()
    steward.label()
    version = steward.register.dataset("loans").version
    labels = steward.register.lives.labels("loans", version)
    del labels["term"]
    steward.register.lives.grade("loans", version, labels)
    assert steward.refusal(steward.study()) == "dataset.labels-missing"
