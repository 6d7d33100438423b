from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
import signed

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError, SealaneError
from sealane.governance.agreement import Agreement
from sealane.governance.policy import (
    CLAUSES,
    MOMENTS,
    Moment,
    Permit,
    Refuse,
    Request,
    Standing,
    check_approvable,
    check_signatures,
    decide,
)
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Study
from sealane.governance.terms import Terms

Build = Callable[..., Study]
Keys = dict[str, SigningKey]


VERSION = "0" * 64
FINE = Standing(dataset_version=VERSION)


def approve(study: Study, keys: Keys, *names: str, **said: Any) -> list[SignedAgreement]:
    return [signed.agreement(study, keys[name], name, **said) for name in names]


def agreements(study: Study, keys: Keys, **narrower: dict[str, Any]) -> dict[str, Agreement]:
    """Everybody's, by fingerprint; ``north={...}`` are north's own terms."""
    return {key.fingerprint: signed.agreed(study, key, name, **narrower.get(name, {})) for name, key in keys.items()}


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


def test_run_starts_only_with_every_signature(build: Build, keys: Keys) -> None:
    study = build()
    agreed = check_signatures(study, approve(study, keys, *keys))
    assert {value.node for value in agreed.values()} == set(keys)
    some = approve(study, keys, "north", "south", "west")
    assert code_of(lambda: check_signatures(study, some)) == "run.not-approved"
    twice = approve(study, keys, "north", "south", "west", "west")
    assert code_of(lambda: check_signatures(study, twice)) == "run.not-approved"


def test_signatures_over_another_study_do_not_count(build: Build, keys: Keys) -> None:
    study, other = build(), build(minimum_count=1)
    mixed = [*approve(study, keys, "north", "south", "west"), *approve(other, keys, "east")]
    assert code_of(lambda: check_signatures(study, mixed), ProtocolError) == "statement.other-study"


def test_two_different_agreements_by_one_institution(build: Build, keys: Keys) -> None:
    study = build()
    said = [*approve(study, keys, *keys), *approve(study, keys, "west", dataset="other")]
    assert code_of(lambda: check_signatures(study, said), ProtocolError) == "agreement.conflicting"


@dataclass
class Ask:
    """A request at north that is permitted, until something about it is changed."""

    study: Study
    keys: Keys
    now: datetime
    standing: Standing = FINE

    def __call__(self, moment: str = "admission", *, at: datetime | None = None, own: dict[str, Any] | None = None,
                 others: dict[str, Any] | None = None, standing: Standing | None = None,
                 cohort: frozenset[str] | None = None, **asked: Any) -> str:
        """Return ``permit``, or the clause that refused and the error's code."""
        signed_by = agreements(self.study, self.keys, north=own or {}, west=others or {})
        request = Request(moment, fingerprints(self.keys, *self.keys) if cohort is None else cohort,  # type: ignore[arg-type]
                          **({"code": signed.CODE, "outputs": ("result",)} | asked))
        before = (repr(signed_by), repr(request))
        decision = decide(self.study, signed_by, self.keys["north"].fingerprint, standing or self.standing, request,
                          at or self.now)
        assert (repr(signed_by), repr(request)) == before
        return "permit" if isinstance(decision, Permit) else f"{decision.clause}: {decision.error.code}"


@pytest.fixture
def ask(build: Build, keys: Keys, now: datetime) -> Ask:
    analysts = [recipient_of(name, SigningKey(Secret(name[:1].encode() * 32)), bytes(32)) for name in ("iris", "otto")]
    return Ask(build(rounds=5, runs=3, recipients=analysts), keys, now)


def test_what_was_agreed_is_permitted_at_every_moment(ask: Ask) -> None:
    assert [ask(moment) for moment in MOMENTS] == ["permit"] * 5
    assert ask("round", number=4) == "permit"
    assert ask(other_runs=2) == "permit"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("standing", "refusal"), [
    ({"quarantined": "break-in"}, "quarantine: node.quarantined"),
    ({"revoked": True}, "revocation: study.revoked"),
    ({"suspended": True}, "suspension: agreement.suspended"),
])
def test_how_things_stand_stops_everything(ask: Ask, moment: str, standing: dict[str, Any], refusal: str) -> None:
    assert ask(moment, standing=replace(FINE, **standing)) == refusal


@pytest.mark.parametrize("moment", MOMENTS)
def test_time_is_asked_at_every_moment(ask: Ask, moment: str) -> None:
    end = datetime.fromisoformat("2026-07-01T00:00:00+00:00")
    assert ask(moment, at=end - timedelta(seconds=1)) == "permit"
    assert ask(moment, at=end) == "time: study.expired"
    sooner = {"expires": "2026-06-10T00:00:00Z"}
    assert ask(moment, at=end - timedelta(days=22), others=sooner) == "permit"
    assert ask(moment, at=end - timedelta(days=21), others=sooner) == "time: agreement.expired"
    later = {"starts": "2026-06-02T00:00:00Z"}
    assert ask(moment, others=later) == "time: agreement.not-yet"
    assert ask(moment, at=end - timedelta(days=29), others=later) == "permit"


def test_a_revocation_that_was_seen_bars_its_institution_alone(ask: Ask) -> None:
    gone = replace(FINE, withdrawn=frozenset({ask.keys["west"].fingerprint}))
    for moment in MOMENTS:
        assert ask(moment, standing=gone) == "revocation: agreement.withdrawn-elsewhere"
    without = fingerprints(ask.keys, "north", "south", "east")
    assert ask("round", standing=gone, cohort=without) == "permit"


def test_the_tightest_round_and_run_limit_holds_whoever_set_it(ask: Ask) -> None:
    assert ask("round", number=5) == "rounds: study.rounds-exhausted"
    assert ask("round", number=-1) == "rounds: study.rounds-exhausted"
    for who in ("own", "others"):
        assert ask("round", number=2, **{who: {"rounds": 3}}) == "permit"
        assert ask("round", number=3, **{who: {"rounds": 3}}) == "rounds: agreement.rounds-exhausted"
        assert ask(other_runs=1, **{who: {"runs": 2}}) == "permit"
        assert ask(other_runs=2, **{who: {"runs": 2}}) == "runs: agreement.runs-exhausted"
    assert ask("round", number=3, own={"rounds": 4}, others={"rounds": 3}) == "rounds: agreement.rounds-exhausted"
    assert ask(other_runs=3) == "runs: study.runs-exhausted"
    assert ask("release", other_runs=3) == "runs: study.runs-exhausted"


def test_cohorts(ask: Ask) -> None:
    def with_cohort(*names: str, **own: Any) -> str:
        return ask("cohort", cohort=fingerprints(ask.keys, *names), **own)

    assert with_cohort("north", "south", "west") == "permit"
    assert with_cohort("north", "south") == "cohort: run.cohort-too-small"
    assert with_cohort("north", "south", "west", others={"minimum_cohort": 4}) == "cohort: agreement.cohort-too-small"
    assert with_cohort("east", "south", "west") == "cohort: run.not-in-cohort"
    whole = fingerprints(ask.keys, *ask.keys)
    assert ask("cohort", cohort=whole | {"a" * 52}) == "cohort: run.stranger-in-cohort"
    assert ask("release", cohort=whole | {"a" * 52}) == "cohort: run.stranger-in-cohort"


def test_other_code_names_who_differs(ask: Ask) -> None:
    assert ask(code="ee" * 32) == "code: agreement.code-changed"
    assert ask(others={"code": "ee" * 32}) == "code: agreement.code-differs"
    agreed = agreements(ask.study, ask.keys, west={"code": "ee" * 32})
    request = Request("admission", frozenset(agreed), code=signed.CODE, outputs=("result",))
    decision = decide(ask.study, agreed, ask.keys["north"].fingerprint, FINE, request, ask.now)
    assert isinstance(decision, Refuse)
    assert decision.error.got == "west eeeeeeeeeeeeeeee"


@pytest.mark.parametrize("moment", ["admission", "round", "release"])
def test_only_the_agreed_version_of_a_dataset(ask: Ask, moment: str) -> None:
    assert ask(moment, standing=replace(FINE, dataset_version="1" * 64)) == "dataset: dataset.changed"
    assert ask(moment, standing=replace(FINE, dataset_version=None)) == "dataset: dataset.changed"


@pytest.mark.parametrize("change", [
    {"purpose": "marketing"}, {"computation": "statistics.describe"}, {"parameters": "1" * 64}, {"participants": ()},
    {"minimum_count": 1}, {"epsilon": "1"}])
def test_terms_that_are_not_the_studys_are_refused_whoever_signed_them(ask: Ask, change: dict[str, Any]) -> None:
    for who in ("own", "others"):
        assert ask(**{who: change}).startswith("terms: agreement.")


def test_recipients_are_those_that_everybody_allows(ask: Ask) -> None:
    iris, otto = (party.fingerprint for party in ask.study.recipients)
    for moment in ("admission", "result"):
        assert ask(moment, own={"recipients": (iris,)}) == "permit"
        assert ask(moment, own={"recipients": (iris,)}, others={"recipients": (otto,)}) == \
            "recipients: agreement.no-recipient"
        for who in ("own", "others"):
            assert ask(moment, **{who: {"jurisdictions": ("DE",)}}) == "recipients: agreement.recipient-abroad"


def test_jurisdictions_are_those_that_the_study_states(ask: Ask, build: Build) -> None:
    where = {"iris": "DE", "otto": "FR"}
    ask.study = build(recipients=[party.model_copy(update={"jurisdiction": where[party.name]})
                                  for party in ask.study.recipients])
    iris = next(party.fingerprint for party in ask.study.recipients if party.name == "iris")
    for who in ("own", "others"):
        assert ask(**{who: {"jurisdictions": ("DE", "FR")}}) == "permit"
        assert ask(**{who: {"jurisdictions": ("DE",)}}) == "recipients: agreement.recipient-abroad"
        assert ask(**{who: {"jurisdictions": ("DE",), "recipients": (iris,)}}) == "permit"


def test_only_kinds_of_result_that_everybody_allows(ask: Ask) -> None:
    for moment in ("admission", "result"):
        assert ask(moment, outputs=("model", "result")) == "outputs: agreement.output-not-allowed"
        assert ask(moment, others={"outputs": ("model",)}) == "outputs: agreement.output-not-allowed"


def test_every_term_has_a_clause_that_reads_it() -> None:
    """A new field of Terms fails here until a clause keeps it."""
    kept = {
        "purpose": "terms", "computation": "terms", "parameters": "terms", "participants": "terms", "code": "code",
        "minimum_cohort": "cohort", "recipients": "recipients", "jurisdictions": "recipients", "outputs": "outputs",
        "rounds": "rounds", "runs": "runs", "starts": "time", "expires": "time", "epsilon": "terms", "delta": "terms",
    }
    elsewhere = {"minimum_count": "the cohort hands it to the computation", "tariff": "settled afterwards",
                 "waives_differencing": "the guard against differencing"}
    assert {field.name for field in fields(Terms)} == set(kept) | set(elsewhere)
    asked = {clause for clauses in MOMENTS.values() for clause in clauses}
    assert set(kept.values()) <= asked
    assert asked == set(CLAUSES)
    assert set(MOMENTS) == set(get_args(Moment))
