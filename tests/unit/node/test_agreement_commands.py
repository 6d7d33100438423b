"""A steward's commands about agreements, at a home that no process serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import signed
from made_identity import make_identity

from sealane.computations.registry import get, read_parameters
from sealane.core.clock import ManualClock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.contract import Contract
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study
from sealane.node.charging import request_of
from sealane.node.commands import execute
from sealane.node.datasets import add_dataset
from sealane.node.grading import grade
from sealane.node.home import open_home
from sealane.node.place import Place

Make = Callable[..., Study]


@pytest.fixture
def place(tmp_path: Path, contract: Contract, clock: ManualClock, keys: dict[str, SigningKey]) -> Iterator[Place]:
    make_identity(tmp_path / "north")
    home = open_home(tmp_path / "north", clock=clock)
    source = tmp_path / "loans.csv"
    source.write_text("bad,income,grade\n1,5,A\n")
    add_dataset(home.register, "loans", str(source), contract.id, {}, now=clock())
    grade(home.register, "loans", accept=True)
    for name in ("south", "west"):
        home.register.trust(name, keys[name].fingerprint)
    home.register.trust("iris", IRIS.fingerprint)
    execute(Place(home), "jurisdiction", {"code": "DE"})
    yield Place(home)
    home.register.close()


IRIS = recipient_of("iris", SigningKey(Secret(b"i" * 32)), bytes(32)).model_copy(update={"jurisdiction": "DE"})


@pytest.fixture
def study(place: Place, make: Make, keys: dict[str, SigningKey]) -> Study:
    own = place.home.identity().fingerprint
    prints = {"north": own, "south": keys["south"].fingerprint, "west": keys["west"].fingerprint}
    participants = [Participant(name=n, fingerprint=f, jurisdiction="DE") for n, f in prints.items()]
    return place.register.record_study(make(participants=participants, recipients=[IRIS]).canonical())


def refused(place: Place, command: str, **arguments: Any) -> str:
    with pytest.raises(SealaneError) as caught:
        execute(place, command, arguments)
    return caught.value.code


def state(place: Place) -> str:
    one, = execute(place, "agreement.list", {})
    return str(one["state"])


def test_the_life_of_an_agreement(place: Place, study: Study, clock: ManualClock) -> None:
    assert execute(place, "agreement.list", {}) == []
    assert refused(place, "agreement.show", study=study.name) == "agreement.none"
    said = execute(place, "study.approve", {"study": study.name, "own": {"runs": 3, "expires": "2026-06-20"}})
    assert said["narrower"] == {"runs": 3, "expires": "2026-06-20T23:59:59Z"}
    assert state(place) == "ACTIVE"
    assert execute(place, "agreement.list", {})[0]["negotiation"] == "VERIFIED"  # the others have not signed yet
    assert execute(place, "agreement.suspend", {"study": study.hash[:12], "reason": "audit"})["state"] == "SUSPENDED"
    assert refused(place, "agreement.suspend", study=study.hash) == "agreement.illegal-transition"
    assert execute(place, "agreement.resume", {"study": study.hash})["state"] == "ACTIVE"
    assert refused(place, "agreement.resume", study=study.hash) == "agreement.illegal-transition"
    shown = execute(place, "agreement.show", {"study": study.hash})
    assert shown["limits"]["runs"] == {"value": 3, "set_by": "north"}
    assert shown["limits"]["rounds"] == {"value": 200, "set_by": "the study"}
    assert shown["recipients"] == ["iris"]
    assert shown["envelope"]["payloadType"] == "application/vnd.sealane.agreement+json"
    before = clock.now
    clock.now = before.replace(day=21)
    assert state(place) == "EXPIRED"
    assert refused(place, "agreement.revoke", study=study.hash) == "agreement.illegal-transition"
    clock.now = before
    revoked = execute(place, "agreement.revoke", {"study": study.hash, "reason": "no longer"})
    assert (revoked["decision"], revoked["sent"], revoked["stopped"]) == ("refused", False, [])
    assert state(place) == "REVOKED"
    assert execute(place, "agreement.list", {})[0]["negotiation"] == "TERMINATED"
    assert [type(one).__name__ for _, one in place.register.unsent()] == ["SignedAgreement", "SignedRefusal"]


def test_quarantine_stops_a_stewards_signatures_too(place: Place, study: Study) -> None:
    assert execute(place, "quarantine", {"reason": "break-in"}) == {"quarantined": True, "changed": True, "stopped": []}
    assert execute(place, "quarantine", {})["changed"] is False
    assert execute(place, "status", {})["quarantined"] == "break-in"
    assert refused(place, "study.approve", study=study.hash) == "node.quarantined"
    assert refused(place, "study.counter", study=study.hash, changes={"rounds": 5}, reason="") == "node.quarantined"
    assert refused(place, "quarantine", reason="x" * 501) == "refusal.reason-too-long"
    execute(place, "study.refuse", {"study": study.hash})  # a refusal must always be possible
    assert execute(place, "quarantine.lift", {}) == {"quarantined": False, "changed": True, "stopped": []}
    assert execute(place, "quarantine.lift", {})["changed"] is False


def test_why_tells_what_was_refused_here(place: Place, study: Study) -> None:
    assert refused(place, "study.approve", study=study.hash, own={"rounds": 999}) == "agreement.wider-than-study"
    told = execute(place, "why", {"wanted": study.name})
    one, = told["refusals"]
    assert (one["moment"], one["clause"], one["error"]["got"], one["error"]["expected"]) == (
        "approval", "terms", "999", "200")
    assert one["meaning"] == "an agreement allows at most what the study says"
    assert execute(place, "why", {"wanted": "r-aaaaaaaa"})["refusals"] == []
    assert refused(place, "why", wanted="r-!") == "run.unknown"
    assert refused(place, "why", wanted="nothing") == "study.unknown"


def test_defaults_narrow_and_options_outweigh_them(place: Place, study: Study) -> None:
    home = place.home.path

    def approved(text: str, **own: Any) -> dict[str, Any]:
        (home / "defaults.toml").write_text(text)
        found: dict[str, Any] = execute(place, "study.review", {"study": study.hash, "own": own})["narrower"]
        return {name: both["here"] for name, both in found.items()}

    assert approved("") == {}
    assert approved('rounds = 500\nminimum_count = 5\nexpires = 2099-01-01\nrecipients = ["iris", "otto"]') == {}
    assert approved("rounds = 50\nminimum_count = 15\nminimum_cohort = 3\nvalid_days = 7") == {
        "rounds": 50, "minimum_count": 15, "expires": "2026-06-08T12:00:00Z"}
    assert approved("rounds = 50\nvalid_days = 7", rounds=70, expires="2026-06-20T00:00:00Z") == {
        "rounds": 70, "expires": "2026-06-20T00:00:00Z"}
    assert approved('[tariff]\ncurrency = "EUR"\nper_run = "3.50"\nper_round = "0.01"') == {
        "tariff": "EUR 3.50 per run, 0.01 per round"}
    assert approved('jurisdictions = ["DE", "CH"]') == {"jurisdictions": ["CH", "DE"]}
    assert approved('recipients = ["otto"]') == {"recipients": []}


@pytest.mark.parametrize(("text", "code"), [
    ('purposes = ["fraud-detection"]', "agreement.purpose-not-ours"),
    ('jurisdictions = ["FR"]', "agreement.recipient-abroad"),
    ('epsilon = "1.0"', "agreement.budget-undeclared"), ('epsilon = "one"', "defaults.malformed"),
    ("round = 5", "defaults.malformed"), ("rounds = ", "defaults.malformed"), ("rounds = 1.5", "defaults.malformed"),
    ("#" * 70_000, "defaults.malformed"), ("rounds = true", "defaults.malformed"),
])
def test_defaults_that_refuse(place: Place, study: Study, text: str, code: str) -> None:
    (place.home.path / "defaults.toml").write_text(text)
    assert refused(place, "study.approve", study=study.hash) == code
    assert place.register.own_statement(study.hash) is None


def test_a_defaults_file_that_is_no_file(place: Place, study: Study) -> None:
    (place.home.path / "defaults.toml").mkdir()
    assert refused(place, "study.review", study=study.hash) == "defaults.unreadable"


def test_a_counter_offer_is_signed_and_decides_nothing(place: Place, study: Study) -> None:
    said = execute(place, "study.counter", {"study": study.name, "changes": {"rounds": 9}, "reason": "too many"})
    assert (said["decision"], said["changes"], said["sent"]) == ("countered", {"rounds": 9}, False)
    shown = execute(place, "study.show", {"study": study.name})
    assert (shown["decision"], shown["negotiation"]["north"]) == ("waiting", "OFFERED")
    for changes, code in (({"rounds": 200}, "counter.no-change"), ({"purpose": "astrology"}, "study.unknown-purpose"),
                          ({"parameters": {"outcome": "bad"}}, "computation.bad-parameters")):
        assert refused(place, "study.counter", study=study.name, changes=changes, reason="") == code
    execute(place, "study.approve", {"study": study.name})
    assert refused(place, "study.counter", study=study.name, changes={"rounds": 9}, reason="") == \
        "counter.decided-before"


NOISED: dict[str, Any] = {
    "computation": "statistics.table", "epsilon": "1", "delta": "1e-6", "runs": 50,
    "parameters": {"columns": ["grade"], "epsilon": "1", "delta": "1e-6"}}


@pytest.fixture
def noised(place: Place, make: Make, study: Study) -> Study:
    return place.register.record_study(make(
        name="noised", participants=study.participants, recipients=[IRIS], **NOISED).canonical())


def test_a_review_says_what_a_run_would_cost_the_ledger(place: Place, study: Study, noised: Study) -> None:
    exact = execute(place, "study.review", {"study": study.hash})["ledger"]["outlook"]
    assert (exact["runs"], exact["epsilon_alone"], exact["caps"]) == (200, None, [])
    execute(place, "ledger.cap", {"dataset": "loans", "releases": 7})
    execute(place, "ledger.cap", {"dataset": "loans", "releases": 3, "study": study.hash})
    exact = execute(place, "study.review", {"study": study.hash})["ledger"]["outlook"]
    assert (exact["runs"], f"for study scorecard ({study.hash[:12]})" in exact["limit"]) == (3, True)
    before = execute(place, "study.review", {"study": noised.hash})["ledger"]["outlook"]
    assert (before["runs"], before["limit"]) == (0, "no privacy budget is set for loans")
    execute(place, "ledger.cap", {"dataset": "loans", "epsilon": "3.2", "delta": "1e-6"})
    execute(place, "study.approve", {"study": noised.hash, "own": {"epsilon": "1.2"}})
    seen = execute(place, "study.review", {"study": noised.hash, "dataset": "loans"})["ledger"]["outlook"]
    assert 0.9 < float(seen["epsilon_alone"]) <= 1
    # Two Gaussians of epsilon 1 come to about 1.4: one run fits under 1.2, as it stands in the agreement.
    assert (seen["runs"], "for study noised" in seen["limit"]) == (1, True)
    assert [(cap["scope"], cap["epsilon"], cap["left"]) for cap in seen["caps"]] == [
        ("dataset", "3.2", "3.2"), ("study", "1.2", "1.2")]


def test_an_agreements_cap_stands_in_the_ledger_and_cannot_be_raised(place: Place, noised: Study) -> None:
    execute(place, "ledger.cap", {"dataset": "loans", "releases": 5, "study": noised.hash})
    execute(place, "study.approve", {"study": noised.hash, "own": {"epsilon": "1.2", "delta": "0.00001"}})
    cap = {"dataset": "loans", "study": noised.hash}

    def kept() -> tuple[str, str, int]:
        caps = execute(place, "ledger.show", {"dataset": "loans"})[0]["caps"]
        one, = (cap for cap in caps if cap["scope"] == "study")
        return one["epsilon"], one["delta"], one["releases"]

    assert kept() == ("1.2", "0.00001", 5)
    assert refused(place, "ledger.cap", **cap, epsilon="1.3") == "ledger.cap-above-agreement"
    assert refused(place, "ledger.cap", **cap, delta="1e-4") == "ledger.cap-above-agreement"
    assert kept() == ("1.2", "0.00001", 5)
    execute(place, "ledger.cap", cap | {"epsilon": "1.1", "delta": "1e-6"})
    assert kept() == ("1.1", "0.000001", 5)


def test_an_agreement_is_exhausted_once_its_cap_leaves_no_run(place: Place, noised: Study, contract: Contract) -> None:
    execute(place, "ledger.cap", {"dataset": "loans", "epsilon": "100", "delta": "1e-6"})
    execute(place, "study.approve", {"study": noised.hash, "own": {"epsilon": "1.2"}})
    entry = place.home.register.dataset("loans")
    asked = request_of("r-" + "a" * 16, noised, "loans", entry.version, get(noised.computation),
                       read_parameters(noised.computation, noised.parameters), contract)
    place.home.ledger.reserve(asked)
    assert state(place) == "ACTIVE"  # a reservation may be given back
    place.home.ledger.commit(asked.run, 0)
    assert state(place) == "EXHAUSTED"
    assert refused(place, "agreement.suspend", study=noised.hash) == "agreement.illegal-transition"
    assert execute(place, "agreement.revoke", {"study": noised.hash})["decision"] == "refused"  # it may still run
    assert state(place) == "REVOKED"


def test_a_review_without_a_choice_of_dataset_says_so(place: Place, noised: Study) -> None:
    execute(place, "dataset.withdraw", {"name": "loans"})
    found = execute(place, "study.review", {"study": noised.hash})["ledger"]
    assert (found["outlook"], found["error"]["code"]) == (None, "dataset.choice-open")
    assert refused(place, "study.review", study=noised.hash, dataset="loans") == "dataset.unknown"


def test_a_name_of_several_studies_is_refused_with_what_each_is(place: Place, make: Make, study: Study,
                                                                clock: ManualClock) -> None:
    parties = {"participants": study.participants, "recipients": study.recipients}
    clock.advance(timedelta(minutes=1))
    other = place.register.record_study(make(**parties, runs=3).canonical())
    execute(place, "study.refuse", {"study": study.hash})
    with pytest.raises(SealaneError) as caught:
        execute(place, "study.approve", {"study": study.name})
    assert caught.value.code == "study.ambiguous"
    assert caught.value.expected == (f"one of {other.hash[:16]} (waiting, to {other.expires}), {study.hash[:16]} "
                                     f"(refused, to {study.expires})")
    named = place.register.record_study(make(**parties, name=f"a{other.hash[:11]}").canonical())
    assert execute(place, "study.show", {"study": named.name})["hash"] == named.hash
    assert execute(place, "study.show", {"study": other.hash[:12]})["hash"] == other.hash


def test_a_review_says_all_that_an_approval_would_fail_for(place: Place, make: Make, study: Study) -> None:
    def codes(found: Study, **arguments: Any) -> list[str]:
        said = execute(place, "study.review", {"study": found.hash} | arguments)
        return [error["code"] for error in said["problems"]]

    parties = {"participants": study.participants, "recipients": study.recipients}
    odd = place.register.record_study(make(**parties, purpose="astrology").canonical())
    gone = place.register.record_study(make(**parties, parameters={
        "outcome": "bad", "features": ["incom"], "family": "binomial"}).canonical())
    assert (codes(study), codes(odd), codes(gone)) == ([], ["study.unknown-purpose"], ["contract.unknown-field"])
    place.register.distrust("west")
    assert codes(odd) == ["study.unverified-peer", "study.unknown-purpose"]
    for found in (odd, gone):
        assert refused(place, "study.approve", study=found.hash) == codes(found)[0]
    place.register.trust("west", next(p.fingerprint for p in study.participants if p.name == "west"))
    execute(place, "study.approve", {"study": study.hash})
    (place.home.path.parent / "loans.csv").write_text("bad,income,grade\n1,6,A\n")
    assert codes(gone) == ["contract.unknown-field"]
    assert codes(study) == []  # it is signed: what a run lacks is the run's to say
    assert codes(place.register.record_study(make(**parties, runs=3).canonical())) == ["dataset.changed"]
    execute(place, "study.refuse", {"study": odd.hash})
    assert codes(odd) == ["study.unknown-purpose", "study.refused-before", "dataset.changed"]


def test_a_peers_narrower_agreement_shows_in_the_limits(place: Place, study: Study,
                                                        keys: dict[str, SigningKey]) -> None:
    execute(place, "study.approve", {"study": study.hash})
    place.register.record_statement(study.hash, signed.agreement(study, keys["west"], "west", rounds=4))
    limits = execute(place, "agreement.show", {"study": study.hash})["limits"]
    assert limits["rounds"] == {"value": 4, "set_by": "west"}
