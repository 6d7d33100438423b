"""A steward's commands about agreements, at a home that no process serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import signed
from made_identity import make_identity

from sealane.core.clock import ManualClock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.contract import Contract
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study
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
    assert approved('[tariff]\ncurrency = "EUR"\nprice = "3.50"\nper = "row"') == {"tariff": "3.50 EUR per row"}
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


def test_a_peers_narrower_agreement_shows_in_the_limits(place: Place, study: Study,
                                                        keys: dict[str, SigningKey]) -> None:
    execute(place, "study.approve", {"study": study.hash})
    place.register.record_statement(study.hash, signed.agreement(study, keys["west"], "west", rounds=4))
    limits = execute(place, "agreement.show", {"study": study.hash})["limits"]
    assert limits["rounds"] == {"value": 4, "set_by": "west"}
