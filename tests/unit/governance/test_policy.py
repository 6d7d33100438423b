from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError, SealaneError
from sealane.governance.approval import Approval, SignedApproval, sign_approval
from sealane.governance.policy import check_approvable, check_round, check_run
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Study

Build = Callable[..., Study]
Keys = dict[str, SigningKey]


def approve(study: Study, keys: Keys, *names: str, dataset: str = "loans") -> list[SignedApproval]:
    return [sign_approval(keys[name], Approval(study.hash, name, keys[name].fingerprint, dataset, "0" * 64, False,
                                               "2026-06-01T12:00:00Z")) for name in names]


def fingerprints(keys: Keys, *names: str) -> frozenset[str]:
    return frozenset(keys[name].fingerprint for name in names)


def code_of(call: Callable[[], object], branch: type[SealaneError] = RefusedError) -> str:
    with pytest.raises(branch) as caught:
        call()
    return caught.value.code


def test_approvable_when_every_peer_is_verified(build: Build, keys: Keys, now: datetime) -> None:
    peers = {name: key.fingerprint for name, key in keys.items() if name != "north"}
    own = {"own_name": "north", "own_fingerprint": keys["north"].fingerprint}
    check_approvable(build(), **own, verified=peers, now=now)

    fewer = {name: value for name, value in peers.items() if name != "west"}
    assert code_of(lambda: check_approvable(build(), **own, verified=fewer, now=now)) == "study.unverified-peer"
    swapped = peers | {"west": peers["east"]}
    assert code_of(lambda: check_approvable(build(), **own, verified=swapped, now=now)) == "study.fingerprint-differs"
    late = now + timedelta(days=30)
    assert code_of(lambda: check_approvable(build(), **own, verified=peers, now=late)) == "study.expired"


def test_only_a_named_participant_approves(build: Build, keys: Keys, now: datetime) -> None:
    peers = {name: str(key.fingerprint) for name, key in keys.items()}
    assert code_of(lambda: check_approvable(build(), own_name="mars", own_fingerprint=keys["north"].fingerprint,
                                            verified=peers, now=now)) == "study.not-a-participant"
    assert code_of(lambda: check_approvable(build(), own_name="north", own_fingerprint=keys["south"].fingerprint,
                                            verified=peers, now=now)) == "study.wrong-own-key"


def test_a_recipient_posing_as_a_verified_peer_is_refused(build: Build, keys: Keys, now: datetime) -> None:
    peers = {name: str(key.fingerprint) for name, key in keys.items()}
    analyst = recipient_of("analyst", SigningKey(Secret(b"s" * 32)), bytes(32))
    study = build(recipients=[analyst])
    own = {"own_name": "north", "own_fingerprint": keys["north"].fingerprint}
    check_approvable(study, **own, verified=peers | {"analyst": analyst.fingerprint}, now=now)
    assert code_of(lambda: check_approvable(study, **own, verified=peers, now=now)) == "study.unverified-peer"
    known = peers | {"analyst": "b" * 51 + "a"}
    assert code_of(lambda: check_approvable(study, **own, verified=known, now=now)) == "study.fingerprint-differs"


def test_run_starts_only_with_every_signature(build: Build, keys: Keys, now: datetime) -> None:
    study, own, cohort = build(), keys["north"].fingerprint, fingerprints(keys, *keys)
    approvals = check_run(study, approve(study, keys, *keys), own_fingerprint=own, cohort=cohort, now=now)
    assert {value.node for value in approvals.values()} == set(keys)
    some = approve(study, keys, "north", "south", "west")
    assert code_of(lambda: check_run(study, some, own_fingerprint=own, cohort=cohort, now=now)) == "run.not-approved"
    twice = approve(study, keys, "north", "south", "west", "west")
    assert code_of(lambda: check_run(study, twice, own_fingerprint=own, cohort=cohort, now=now)) == "run.not-approved"


def test_signatures_over_another_study_do_not_count(build: Build, keys: Keys, now: datetime) -> None:
    study, other = build(), build(minimum_count=1)
    mixed = [*approve(study, keys, "north", "south", "west"), *approve(other, keys, "east")]
    own, cohort = keys["north"].fingerprint, fingerprints(keys, *keys)
    assert code_of(lambda: check_run(study, mixed, own_fingerprint=own, cohort=cohort, now=now),
                   ProtocolError) == "approval.other-study"


def test_two_different_approvals_by_one_institution(build: Build, keys: Keys, now: datetime) -> None:
    study = build()
    signed = [*approve(study, keys, *keys), *approve(study, keys, "west", dataset="other")]
    own, cohort = keys["north"].fingerprint, fingerprints(keys, *keys)
    assert code_of(lambda: check_run(study, signed, own_fingerprint=own, cohort=cohort, now=now),
                   ProtocolError) == "approval.conflicting"


def test_cohorts(build: Build, keys: Keys, now: datetime) -> None:
    study = build()
    signed = approve(study, keys, *keys)

    def with_cohort(*names: str) -> Callable[[], object]:
        return lambda: check_run(study, signed, own_fingerprint=keys["north"].fingerprint,
                                 cohort=fingerprints(keys, *names), now=now)

    with_cohort("north", "south", "west")()
    assert code_of(with_cohort("north", "south")) == "run.cohort-too-small"
    assert code_of(with_cohort("east", "south", "west")) == "run.not-in-cohort"
    own, whole = keys["north"].fingerprint, fingerprints(keys, *keys)
    assert code_of(lambda: check_run(study, signed, own_fingerprint=own, cohort=whole | {"a" * 52},
                                     now=now)) == "run.stranger-in-cohort"
    assert code_of(lambda: check_run(study, signed, own_fingerprint=own, cohort=whole,
                                     now=now + timedelta(days=99))) == "study.expired"


def test_revocation_expiry_and_count_stop_the_next_round(build: Build, now: datetime) -> None:
    study = build(rounds=2)
    check_round(study, revoked=False, number=0, now=now)
    check_round(study, revoked=False, number=1, now=now)
    assert code_of(lambda: check_round(study, revoked=False, number=2, now=now)) == "study.rounds-exhausted"
    assert code_of(lambda: check_round(study, revoked=False, number=-1, now=now)) == "study.rounds-exhausted"
    assert code_of(lambda: check_round(study, revoked=True, number=0, now=now)) == "study.revoked"
    end = datetime.fromisoformat("2026-07-01T00:00:00+00:00")
    check_round(study, revoked=False, number=0, now=end - timedelta(seconds=1))
    assert code_of(lambda: check_round(study, revoked=False, number=0, now=end)) == "study.expired"
