"""The transcript against a second writing of its hash."""

from __future__ import annotations

import pytest
from circle import RUN, STUDY, Circle
from reference import hash_parts

from sealane.secagg.attempt import Attempt
from sealane.secagg.node_role import after_agreement, after_sum
from sealane.secagg.transcript import Transcript


def test_it_is_a_chain_of_length_prefixed_hashes() -> None:
    start = Transcript.start(b"a", b"bc")
    assert start.value == hash_parts(b"sealane transcript v1", b"a", b"bc")
    assert start.absorb("sum", b"x").value == hash_parts(b"sealane absorb v1", start.value, b"sum", b"x")


def test_no_two_histories_share_a_value() -> None:
    base = Transcript.start(b"ab", b"c")
    others = [
        Transcript.start(b"a", b"bc"), Transcript.start(b"ab", b"c", b""), base.absorb("sum"), base.absorb("su", b"m"),
        base.absorb("sum", b""), base.absorb("sum").absorb("sum"), after_sum(base, b"d", b"t", b"b"),
        after_sum(base, b"dt", b"", b"b"), after_sum(base, b"d", b"t", b"c"),
        after_agreement(0, base, b"d"), after_agreement(1, base, b"d"),
    ]
    assert len({base.value, *(other.value for other in others)}) == len(others) + 1


@pytest.mark.parametrize("changed", [
    {"run_id": "r-bbbbbbbbbbbbbbbb"}, {"study_hash": "00" * 32}, {"number": 1}, {"scheme": "other"},
])
def test_an_attempt_binds_its_facts(changed: dict[str, object]) -> None:
    members = Circle(3).attempt.members
    facts: dict[str, object] = {"run_id": RUN, "study_hash": STUDY, "number": 0, "scheme": "masking",
                                "colluding": 1, "smallest": 3}
    before = Attempt(members=members, **facts)  # type: ignore[arg-type]
    after = Attempt(members=members, **(facts | changed))  # type: ignore[arg-type]
    assert before.transcript() != after.transcript()
    assert before.transcript() == Attempt(members=members, **facts).transcript()  # type: ignore[arg-type]


def test_an_attempt_binds_its_cohort_and_their_keys() -> None:
    circle = Circle(4)
    fresh = Circle(4, run_id="r-bbbbbbbbbbbbbbbb")
    replaced = (*circle.attempt.members[:3], fresh.attempt.members[3])
    attempts = [circle.attempt, circle.attempt_of(range(3), 0), Attempt(RUN, STUDY, 0, "masking", replaced, 1, 3)]
    assert len({attempt.transcript().value for attempt in attempts}) == 3
