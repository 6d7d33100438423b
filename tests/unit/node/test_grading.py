from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loans import loans
from steward import Steward

from sealane.core.clock import ManualClock
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.governance.classification import read_label
from sealane.node.datasets import profile_dataset
from sealane.node.grading import check_jurisdiction, file, grade, phase, proposals, publish
from sealane.node.register import Register


@pytest.fixture
def steward(tmp_path: Path) -> Iterator[Steward]:
    made = Steward(tmp_path, ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC)))
    yield made
    made.register.close()


def code_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(SealaneError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def test_the_phases_follow_the_acts(steward: Steward) -> None:
    register = steward.register
    assert phase(register, "loans") == "registered"  # nothing is known of it
    steward.add()
    assert phase(register, "loans") == "profiled"
    assert code_of(publish, register, "loans") == "dataset.illegal-move"
    grade(register, "loans", accept=True)
    publish(register, "loans")
    assert phase(register, "loans") == "published"
    steward.add(loans(2, 200))
    assert phase(register, "loans") == "stale"
    assert register.remove_dataset("loans")
    assert phase(register, "loans") == "withdrawn"
    assert code_of(grade, register, "loans", accept=True) == "dataset.unknown"
    steward.add()
    assert phase(register, "loans") == "profiled"


def test_labels_carry_over_and_the_history_stays(steward: Steward) -> None:
    register = steward.register
    steward.add()
    grade(register, "loans", accept=True, changes={"grade": read_label("trade-secret:4"),
                                                  "term": read_label("public:1")}, reason="published")
    first = register.dataset("loans").version
    steward.add(loans(2, 200))
    assert register.lives.labels("loans", register.dataset("loans").version) == {}
    standing = proposals(register, "loans")
    assert str(standing["grade"].proposal.label) == "trade-secret:4"
    assert str(standing["term"].proposal.label) == "public:1"
    decided = grade(register, "loans", accept=True)
    assert (str(decided["term"].label), decided["term"].reason) == ("public:1", "published")
    assert [version == first for version, _, _ in register.lives.decisions("loans")] == [True, False]


def test_content_found_later_raises_what_was_lowered(steward: Steward) -> None:
    steward.add()
    standing = proposals(steward.register, "loans")
    assert str(standing["int_rate"].proposal.label) == "internal:3"
    assert {str(one.proposal.label) for one in standing.values()} <= {"internal:2", "internal:3", "personal:3",
                                                                     "location:3"}


def test_what_was_not_profiled_or_changed_meanwhile_is_not_graded(steward: Steward, tmp_path: Path) -> None:
    steward.add()
    register = steward.register
    entry = register.dataset("loans")
    labels = grade(register, "loans", accept=True)
    assert code_of(register.lives.grade, "loans", "0" * 64, labels) == "dataset.version-differs"
    from dataclasses import replace

    register.put_dataset(replace(entry, version="f" * 64))
    assert code_of(grade, register, "loans", accept=True) == "dataset.not-profiled"
    assert code_of(register.lives.grade, "loans", "f" * 64, labels) == "dataset.illegal-move"
    assert code_of(profile_dataset, register, "loans", now=steward.clock()) == "dataset.changed"
    assert code_of(register.lives.publish, "others") == "dataset.unknown"


def test_a_profile_is_kept_per_version_with_the_one_before(steward: Steward) -> None:
    steward.add()
    register = steward.register
    first = register.dataset("loans").version
    steward.add(loans(2, 200))
    second = register.dataset("loans").version
    profile = profile_dataset(register, "loans", now=steward.clock())
    assert register.lives.profile_of("loans", second) == profile
    before = register.lives.profile_before("loans", second)
    assert before is not None
    assert (before[0], before[1].rows) == (first, 300)
    assert register.lives.profile_before("loans", first) == (second, profile)


def test_everything_is_there_after_a_restart(steward: Steward, tmp_path: Path) -> None:
    steward.add()
    steward.label(term="public:1")
    file(steward.register, "loans", jurisdiction="SG", important=False, reference=" filing 3 ")
    steward.register.lives.set_jurisdiction("CN")
    steward.register.close()
    again = Register(tmp_path / "node.sqlite", "f", steward.clock)
    version = again.dataset("loans").version
    assert str(again.lives.labels("loans", version)["term"].label) == "public:1"
    assert [(one.jurisdiction, one.reference) for one in again.lives.filings("loans")] == [("SG", "filing 3")]
    assert again.lives.jurisdiction() == "CN"
    assert phase(again, "loans") == "graded"
    again.close()


def test_filings_that_are_none(steward: Steward) -> None:
    steward.add()

    def filed(**fields: object) -> str:
        return code_of(file, steward.register, "loans",
                       **({"jurisdiction": "SG", "important": False, "reference": "x"} | fields))

    assert filed(important=True) == "filing.kind-open"
    assert filed(jurisdiction=None) == "filing.kind-open"
    assert filed(reference="  ") == "filing.reference-malformed"
    assert filed(reference="x" * 201) == "filing.reference-malformed"
    assert filed(jurisdiction="Singapore") == "jurisdiction.malformed"
    with pytest.raises(InputError):
        check_jurisdiction("cn")
    with pytest.raises(InputError):
        file(steward.register, "none", jurisdiction="SG", important=False, reference="x")
    assert steward.register.lives.filings("loans") == []


def test_a_dataset_of_before_has_a_phase_after_the_schema_grew(tmp_path: Path) -> None:
    from sealane.node import lives
    from sealane.node.database import open_database
    from sealane.node.register_schema import SCHEMA

    before = SCHEMA[: SCHEMA.index(lives.SCHEMA)]
    db = open_database(tmp_path / "old.sqlite", before)
    db.execute("INSERT INTO datasets VALUES ('loans', '/l', '{}', 'c/v1', 'h', 'v', 1, 0, 0, '2026')")
    db.close()
    grown = Register(tmp_path / "old.sqlite", "f", ManualClock(datetime(2026, 6, 1, tzinfo=UTC)))
    assert phase(grown, "loans") == "registered"
    assert grown.dataset("loans").repair == ""
    with pytest.raises(RefusedError):
        publish(grown, "loans")
    grown.close()
