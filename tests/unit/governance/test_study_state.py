"""Where a study stands, and what is said of several that share a name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import signed

from sealane.crypto.signing import SigningKey
from sealane.governance.study import Study
from sealane.governance.study_state import StudyState, ambiguous, is_live, study_state

Build = Callable[..., Study]


@pytest.fixture
def approvals(keys: dict[str, SigningKey]) -> Callable[..., list[signed.SignedAgreement]]:
    return lambda study, *names: [signed.agreement(study, keys[name], name) for name in names or keys]


def test_all_must_approve_and_one_refusal_is_enough(build: Build, keys: dict[str, SigningKey], approvals,
                                                    now: datetime) -> None:
    study = build()
    no = signed.refusal(study, keys["west"], "west")
    for said, state in (([], StudyState.WAITING), (approvals(study, "north", "west"), StudyState.WAITING),
                        (approvals(study), StudyState.APPROVED), ([no], StudyState.REFUSED),
                        ([*approvals(study), no], StudyState.REFUSED)):
        assert study_state(study, said) is state
        assert is_live(study, said, now) is (state is not StudyState.REFUSED)
        assert not is_live(study, said, now + timedelta(days=30))
    other = build(runs=3)
    assert study_state(other, approvals(study)) is StudyState.WAITING  # signatures under another study are none


def test_what_is_ambiguous_is_listed_with_where_each_stands(build: Build, approvals) -> None:
    studies = [build(runs=k + 1) for k in range(3)]
    found = [(studies[0], []), (studies[1], approvals(studies[1])), (studies[2], approvals(studies[2], "north"))]
    error = ambiguous("scorecard", found, 3)
    end = "to 2026-07-01T00:00:00Z"
    assert (error.code, error.got) == ("study.ambiguous", "scorecard")
    assert error.expected == (f"one of {studies[0].hash[:16]} (waiting, {end}), {studies[1].hash[:16]} (approved, "
                              f"{end}), {studies[2].hash[:16]} (waiting, {end})")
    listed = ambiguous("scorecard", found, 40).expected
    assert listed is not None
    assert listed.endswith(", 37 more")
