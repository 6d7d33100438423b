from __future__ import annotations

from typing import Any

import pytest

from sealane.errors import SealaneError
from sealane.governance.classification import Label, Proposal
from sealane.governance.grade import Decided, decide, read_decided, stand

PERSONAL, LOW, HIGH = Label("personal", 3), Label("internal", 2), Label("health", 4)
FRESH = {"a": Proposal("a", PERSONAL, ("its name",)), "b": Proposal("b", LOW, ("the contract",))}


def code_of(**arguments: Any) -> str:
    fields: dict[str, Any] = {"accept": False, "changes": {}} | arguments
    standing = fields.pop("standing", stand(FRESH, earlier={}, inputs={}))
    with pytest.raises(SealaneError) as caught:
        decide(standing, fields.pop("current", {}), **fields)
    return caught.value.code


def test_accepting_takes_what_is_proposed() -> None:
    decided = decide(stand(FRESH, earlier={}, inputs={}), {}, accept=True, changes={})
    assert {name: one.label for name, one in decided.items()} == {"a": PERSONAL, "b": LOW}
    assert read_decided(decided["a"].to_dict()) == decided["a"]


def test_raising_needs_no_reason_and_lowering_does() -> None:
    standing = stand(FRESH, earlier={}, inputs={})
    assert decide(standing, {}, accept=True, changes={"b": HIGH})["b"].label == HIGH
    assert code_of(accept=True, changes={"a": LOW}) == "grade.reason-missing"
    assert code_of(accept=True, changes={"a": LOW}, reason="  ") == "grade.reason-missing"
    lowered = decide(standing, {}, accept=True, changes={"a": LOW}, reason="aggregated")["a"]
    assert (lowered.label, lowered.proposed, lowered.reason) == (LOW, PERSONAL, "aggregated")


def test_every_field_needs_a_label() -> None:
    assert code_of(changes={"a": HIGH}) == "grade.incomplete"
    current = {"a": Decided(PERSONAL, PERSONAL), "b": Decided(HIGH, LOW)}
    decided = decide(stand(FRESH, earlier={}, inputs={}), current, accept=False, changes={"a": HIGH})
    assert {name: one.label for name, one in decided.items()} == {"a": HIGH, "b": HIGH}


def test_what_is_not_there_and_what_is_too_long() -> None:
    assert code_of(accept=True, changes={"c": HIGH}) == "grade.unknown-field"
    assert code_of(accept=True, reason="x" * 501) == "grade.reason-too-long"


def test_the_steward_s_labels_carry_over_as_proposals() -> None:
    earlier = {"a": Decided(LOW, PERSONAL, "aggregated"), "b": Decided(HIGH, LOW)}
    standing = stand(FRESH, earlier=earlier, inputs={})
    decided = decide(standing, {}, accept=True, changes={})
    assert {name: one.label for name, one in decided.items()} == {"a": LOW, "b": HIGH}
    assert decided["a"].reason == "aggregated"  # it goes on to be on record


def test_more_that_is_found_now_outweighs_an_earlier_decision() -> None:
    earlier = {"a": Decided(LOW, PERSONAL, "aggregated")}
    fresh = {"a": Proposal("a", HIGH, ("content: resident-identity",))}
    standing = stand(fresh, earlier=earlier, inputs={})["a"]
    assert standing.proposal.label == HIGH
    assert standing.reason == ""


def test_derived_data_is_never_under_its_inputs_without_a_review() -> None:
    fresh = {"a": Proposal("a", LOW, ("its name",))}
    standing = stand(fresh, earlier={}, inputs={"a": HIGH})
    assert standing["a"].proposal.label == HIGH
    change = {"a": PERSONAL}
    assert code_of(standing=standing, changes=change) == "grade.derived-below-inputs"
    assert code_of(standing=standing, changes=change, reason="looks fine") == "grade.derived-below-inputs"
    reviewed = decide(standing, {}, accept=False, changes=change, review="k-anonymity 20, board 2026-5")["a"]
    assert (reviewed.label, reviewed.reason, reviewed.derived) == (PERSONAL, "k-anonymity 20, board 2026-5", True)
