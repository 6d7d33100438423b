from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import signed
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError
from sealane.governance.lifecycle import AgreementState, state_of, step
from sealane.governance.limits import tightest
from sealane.governance.policy import Moment, Permit, Request, Standing, decide
from sealane.governance.study import Participant, Study, make_study

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
KEYS = {name: SigningKey(Secret(name.encode() * 32)) for name in "abc"}
STUDY = make_study(name="s", sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
                   computation="glm.fit", parameters={}, expires="2026-07-01T00:00:00Z", runs=3,
                   participants=[Participant(name=n, fingerprint=k.fingerprint) for n, k in KEYS.items()])
STEPS = {("ACTIVE", "SUSPENDED"), ("SUSPENDED", "ACTIVE"), *(
    (old, new) for old in ("ACTIVE", "SUSPENDED") for new in ("EXPIRED", "REVOKED", "EXHAUSTED")),
         ("EXHAUSTED", "REVOKED")}


class Living(RuleBasedStateMachine):
    """Any steps in any order: illegal ones are refused and change nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AgreementState.ACTIVE
        self.ended = False

    @rule(new=st.sampled_from(AgreementState))
    def go(self, new: AgreementState) -> None:
        old = self.state
        try:
            self.state = step(old, new)
        except RefusedError:
            assert self.state is old
            assert (str(old), str(new)) not in STEPS
        else:
            assert (str(old), str(new)) in STEPS
            assert not self.ended or (old, self.state) == (AgreementState.EXHAUSTED, AgreementState.REVOKED)
        self.ended = self.ended or self.state.over

    @invariant()
    def what_ended_stays_ended(self) -> None:
        assert self.state.over is self.ended


TestLiving = Living.TestCase


@given(revoked=st.booleans(), suspended=st.booleans(), runs=st.integers(0, 4), days=st.integers(0, 40),
       spent=st.booleans())
def test_the_state_follows_from_what_happened(revoked: bool, suspended: bool, runs: int, days: int,
                                              spent: bool) -> None:
    limits = tightest(STUDY, [signed.agreed(STUDY, KEYS["a"], "a", runs=2)])
    now = JUNE + timedelta(days=days)
    expected = ("REVOKED" if revoked else "EXPIRED" if days >= 30 else "EXHAUSTED" if spent or runs >= 2
                else "SUSPENDED" if suspended else "ACTIVE")
    assert state_of(limits, revoked=revoked, suspended=suspended, runs=runs, spent=spent, now=now) == expected


@given(revoked=st.booleans(), suspended=st.booleans(), runs=st.integers(0, 4), days=st.integers(0, 40),
       moment=st.sampled_from(["admission", "cohort", "round", "release", "result"]))
def test_the_policy_permits_exactly_what_is_active(revoked: bool, suspended: bool, runs: int, days: int,
                                                   moment: Moment) -> None:
    """The state that a steward is shown and the decision of the gate cannot part. Runs are asked when one begins."""
    agreed = {key.fingerprint: signed.agreed(STUDY, key, name, **({"runs": 2} if name == "b" else {}))
              for name, key in KEYS.items()}
    limits, now = tightest(STUDY, agreed.values()), JUNE + timedelta(days=days)
    asked = moment in ("admission", "release")
    state = state_of(limits, revoked=revoked, suspended=suspended, runs=runs if asked else 0, spent=False, now=now)
    standing = Standing(revoked=revoked, suspended=suspended, dataset_version="0" * 64)
    request = Request(moment, frozenset(agreed), other_runs=runs, code=signed.CODE, outputs=("result",))
    decision = decide(STUDY, agreed, KEYS["a"].fingerprint, standing, request, now)
    assert isinstance(decision, Permit) == (state is AgreementState.ACTIVE)


def test_whose_limit_is_named(build: Callable[..., Study], keys: dict[str, SigningKey]) -> None:
    study = build(rounds=9)
    limits = tightest(study, [signed.agreed(study, keys["north"], "north", rounds=4, minimum_count=11),
                              signed.agreed(study, keys["west"], "west", rounds=3, minimum_cohort=4)])
    named = {name: (getattr(limits, name).value, getattr(limits, name).whose)
             for name in ("rounds", "minimum_count", "smallest_cohort", "runs")}
    assert named == {"rounds": (3, "west"), "minimum_count": (11, "north"), "smallest_cohort": (4, "west"),
                     "runs": (10, "the study")}
    assert limits.starts is None
    with pytest.raises(RefusedError):
        step(AgreementState.REVOKED, AgreementState.ACTIVE)
