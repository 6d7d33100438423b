from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sealane.errors import RefusedError
from sealane.governance.classification import Label, read_label
from sealane.governance.protection import Protection, Setting, check_protection, required_protection
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study

Build = Callable[..., Study]


@pytest.mark.parametrize(("label", "cohort", "secure", "sandboxed", "important", "forbidden"), [
    # From the list in the design: 1 any; 2 cohort; 3 or personal; 4 or sensitive; important; 5 or core.
    ("public:1", 0, 0, 0, 0, 0), ("internal:2", 1, 0, 0, 0, 0), ("internal:3", 1, 1, 0, 0, 0),
    ("personal:1", 1, 1, 0, 0, 0), ("location:2", 1, 1, 0, 0, 0), ("trade-secret:4", 1, 1, 1, 0, 0),
    ("health:2", 1, 1, 1, 0, 0), ("financial-account:1", 1, 1, 1, 0, 0), ("sensitive-personal:3", 1, 1, 1, 0, 0),
    ("internal:1:important", 1, 1, 1, 1, 0), ("internal:1:core", 1, 0, 0, 0, 1), ("public:5", 1, 1, 1, 0, 1),
])
def test_what_each_label_asks_for(label: str, cohort: int, secure: int, sandboxed: int, important: int,
                                  forbidden: int) -> None:
    need = required_protection([read_label(label)])
    assert (need.secure, need.sandboxed, need.important, need.forbidden) == (
        bool(secure), bool(sandboxed), bool(important), bool(forbidden))
    assert need.cohort == bool(cohort) or need.forbidden  # what is never used needs no more


def test_the_strictest_of_several_counts() -> None:
    need = required_protection([Label("public", 1), Label("health", 2), Label("internal", 1, "important")])
    assert need == Protection(cohort=True, secure=True, sandboxed=True, important=True)
    assert required_protection([]) == Protection()


@pytest.fixture
def study(build: Build, keys: dict[str, Any]) -> Build:
    def make(*, own: str | None = None, others: str | None = None, recipient: str | None = None, **changes: Any
             ) -> Study:
        parties = [Participant(name=name, fingerprint=key.fingerprint, jurisdiction=own if name == "north" else others)
                   for name, key in keys.items()]
        analyst = recipient_of("alice", keys["east"], bytes(32)).model_copy(
            update={"jurisdiction": recipient, "name": "east"})
        return build(participants=parties, recipients=[analyst], **changes)
    return make


def setting(keys: dict[str, Any], **changes: Any) -> Setting:
    fields: dict[str, Any] = {
        "individual_level": False, "noised": False, "person_approved": True, "sandboxed": True, "jurisdiction": None,
        "own": keys["north"].fingerprint, "important_approved": True}
    return Setting(**(fields | changes))


def crossed(study: Study, label: str, setting: Setting) -> str:
    with pytest.raises(RefusedError) as caught:
        check_protection(study, {"x": read_label(label), "y": Label("public", 1)}, setting)
    return caught.value.code


def test_all_that_is_asked_for_is_let_through(study: Build, keys: dict[str, Any]) -> None:
    for label in ("public:1", "internal:2", "personal:3", "health:4", "internal:4:important"):
        check_protection(study(), {"x": read_label(label)}, setting(keys))


@pytest.mark.parametrize(("label", "changes", "here", "code"), [
    ("internal:5", {}, {}, "protection.core-data"),
    ("internal:1:core", {}, {}, "protection.core-data"),
    ("internal:2", {"minimum_cohort": 2, "colluding": 0}, {}, "protection.cohort-too-small"),
    ("personal:1", {"minimum_count": 9}, {}, "protection.count-too-small"),
    ("internal:3", {"minimum_count": 9}, {}, "protection.count-too-small"),
    ("internal:3", {}, {"individual_level": True}, "protection.noise-missing"),
    ("internal:4", {}, {"sandboxed": False}, "protection.sandbox-missing"),
    ("health:1", {}, {"sandboxed": False}, "protection.sandbox-missing"),
    ("internal:4", {}, {"person_approved": False}, "protection.person-missing"),
    ("internal:2:important", {}, {"important_approved": False}, "protection.approval-missing"),
])
def test_each_clause_refuses_when_it_is_crossed(label: str, changes: dict[str, Any], here: dict[str, Any], code: str,
                                                study: Build, keys: dict[str, Any]) -> None:
    assert crossed(study(**changes), label, setting(keys, **here)) == code
    check_protection(study(**changes), {"x": Label("public", 1)}, setting(keys, **here))  # grade 1 asks for nothing


def test_noise_lets_a_model_of_single_people_through(study: Build, keys: dict[str, Any]) -> None:
    check_protection(study(), {"x": Label("personal", 3)}, setting(keys, individual_level=True, noised=True))


def test_sums_that_nobody_secured_are_refused_from_grade_3_on(study: Build, keys: dict[str, Any]) -> None:
    bare = study().model_copy(update={"scheme": "none"})
    assert crossed(bare, "internal:3", setting(keys)) == "protection.scheme-not-secure"
    check_protection(bare, {"x": Label("internal", 2)}, setting(keys))


@pytest.mark.parametrize(("own", "others", "recipient", "here", "filings", "code"), [
    (None, None, None, None, (), None),
    ("CN", "CN", "CN", "CN", (), None),
    (None, "CN", "CN", "CN", (), None),
    ("CN", "CN", "SG", "CN", (), "protection.border-without-filing"),
    ("CN", "CN", "SG", "CN", ("SG",), None),
    ("CN", "CN", "SG", "CN", ("US",), "protection.border-without-filing"),
    ("CN", "SG", "CN", "CN", (), "protection.border-without-filing"),  # participants read the sums
    ("CN", "CN", None, "CN", ("SG",), "protection.border-without-filing"),  # a party that says nothing
    (None, None, "SG", None, (), "protection.border-without-filing"),  # an institution that set nothing
    ("SG", "CN", "CN", "CN", (), "protection.own-jurisdiction"),
    ("CN", "CN", "CN", None, (), "protection.own-jurisdiction"),
])
def test_borders(own: str | None, others: str | None, recipient: str | None, here: str | None, filings: tuple[str, ...],
                 code: str | None, study: Build, keys: dict[str, Any]) -> None:
    asked = study(own=own, others=others, recipient=recipient)
    where = setting(keys, jurisdiction=here, filings=frozenset(filings))
    check_protection(asked, {"x": Label("public", 1)}, where)  # public data knows no border
    # The recipient's key is one of the participants', so it must not be foreign only by being looked at twice.
    if code is None:
        check_protection(asked, {"x": Label("internal", 2)}, where)
    else:
        assert crossed(asked, "internal:2", where) == code


def test_important_data_goes_nowhere_abroad_whatever_was_filed(study: Build, keys: dict[str, Any]) -> None:
    asked = study(own="CN", others="CN", recipient="SG")
    where = setting(keys, jurisdiction="CN", filings=frozenset(["SG"]))
    check_protection(asked, {"x": Label("internal", 2)}, where)
    assert crossed(asked, "internal:2:important", where) == "protection.foreign-recipient"


def test_a_study_is_made_again_by_its_bytes(study: Build) -> None:
    from sealane.governance.study import parse_study

    asked = study(own="CN", quality_floor=0.9)
    assert parse_study(asked.canonical()) == asked
    assert make_study(**{name: getattr(asked, name) for name in Study.model_fields}) == asked
    assert asked.hash != study(own="SG", quality_floor=0.9).hash
    assert asked.hash != study(own="CN", quality_floor=0.8).hash
