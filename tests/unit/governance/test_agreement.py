"""What an agreement binds, and what a reader of one refuses."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import signed
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError, SealaneError
from sealane.governance.agreement import document, sign_agreement, verify_agreement
from sealane.governance.odrl import PROFILE, read_policy, write_policy
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import SignedAgreement, claimed_study
from sealane.governance.study import Study
from sealane.governance.tariff import UNITS, Tariff
from sealane.governance.terms import Terms

Build = Callable[..., Study]
Keys = dict[str, SigningKey]
PERMISSION = ("agreement", "permission", 0)
CONSTRAINTS = (*PERMISSION, "constraint")


def code_of(said: SignedAgreement, study: Study, branch: type[SealaneError] = ProtocolError) -> str:
    with pytest.raises(branch) as caught:
        verify_agreement(said, study)
    return caught.value.code


def resigned(content: Any, key: SigningKey) -> SignedAgreement:
    body = canonical_bytes(content)
    return SignedAgreement(body, key.public_key, key.sign(SignedAgreement.kind, body))


def at(content: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        content = content[step]
    return content


def changed(study: Study, key: SigningKey, path: tuple[Any, ...], change: Callable[[Any], None]) -> SignedAgreement:
    content = deepcopy(document(signed.agreed(study, key, "north")))
    change(at(content, path))
    return resigned(content, key)


def constraint(content: Any, left: str) -> Any:
    return next(one for one in at(content, CONSTRAINTS) if one["leftOperand"] == left)


def analyst(name: str = "alice", seed: bytes = b"s") -> Any:
    return recipient_of(name, SigningKey(Secret(seed * 32)), bytes(32))


def test_it_comes_back_as_it_was_signed(build: Build, keys: Keys) -> None:
    study, key = build(recipients=[analyst()]), keys["north"]
    for narrower in ({}, {
        "minimum_cohort": 4, "minimum_count": 20, "rounds": 7, "runs": 1, "starts": "2026-06-02T00:00:00Z",
        "expires": "2026-06-30T00:00:00Z", "jurisdictions": ("DE", "FR"), "recipients": (), "outputs": (),
        "tariff": Tariff(currency="EUR", per_run="12.50", per_round="0.01"), "waives_differencing": True,
    }):
        agreement = signed.agreed(study, key, "north", **narrower)
        said = sign_agreement(key, agreement)
        assert verify_agreement(said, study) == agreement
        assert claimed_study(said) == study.hash
        assert agreement.id == f"urn:sealane:agreement:{study.hash}:{key.fingerprint}"


def test_any_changed_byte_is_noticed(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    said = signed.agreement(study, key, "north")
    for index in range(0, len(said.body), 7):
        body = bytearray(said.body)
        body[index] ^= 1
        assert code_of(replace(said, body=bytes(body)), study) == "signature.invalid"
    assert code_of(replace(said, signature=said.signature[:-1]), study) == "signature.malformed"


def test_no_one_signs_for_another_or_for_another_study(build: Build, keys: Keys) -> None:
    study = build()
    said = signed.agreement(study, keys["north"], "north")
    assert code_of(said, build(minimum_count=1)) == "statement.other-study"
    own = keys["south"].fingerprint
    for name, fingerprint, code in (("north", keys["north"].fingerprint, "statement.wrong-key"),
                                    ("north", own, "statement.wrong-key"), ("atlantis", own,
                                                                            "statement.not-a-participant")):
        forged = signed.agreement(study, keys["south"], "south", node=name, fingerprint=fingerprint)
        assert code_of(forged, study) == code


@pytest.mark.parametrize(("left", "right"), [
    ("odrl:purpose", "marketing"), (f"{PROFILE}:computation", "statistics.describe"),
    (f"{PROFILE}:parameters", "0" * 64),
    (f"{PROFILE}:minimumCohort", "2"), (f"{PROFILE}:minimumCount", "9"), (f"{PROFILE}:rounds", "201"),
    ("odrl:count", "11"), (f"{PROFILE}:participant", []), (f"{PROFILE}:epsilon", "0.5"),
])
def test_what_allows_more_or_other_than_the_study_is_refused(build: Build, keys: Keys, left: str, right: Any) -> None:
    def change(constraints: list[Any]) -> None:
        found = [one for one in constraints if one["leftOperand"] == left]
        if found:
            found[0]["rightOperand"] = right
        else:
            constraints.insert(12, {"leftOperand": left, "operator": "lteq", "rightOperand": right})
    study, key = build(), keys["north"]
    expected = {"odrl:purpose": "agreement.wrong-purpose", f"{PROFILE}:epsilon": "agreement.budget-undeclared",
                f"{PROFILE}:computation": "agreement.other-terms", f"{PROFILE}:parameters": "agreement.other-terms",
                f"{PROFILE}:participant": "agreement.other-terms"}.get(left, "agreement.wider-than-study")
    assert code_of(changed(study, key, CONSTRAINTS, change), study, RefusedError) == expected


@pytest.mark.parametrize(("path", "change"), [
    (CONSTRAINTS, lambda c: c.append({"leftOperand": "odrl:spatial", "operator": "isPartOf", "rightOperand": ["DE"]})),
    (CONSTRAINTS, lambda c: c.append({"leftOperand": "odrl:industry", "operator": "eq", "rightOperand": "bank"})),
    (CONSTRAINTS, lambda c: c.append({"or": []})),
    (CONSTRAINTS, lambda c: c.append("use")),
    (CONSTRAINTS, lambda c: c.append(dict(c[0]))),
    (CONSTRAINTS, lambda c: c[0].update(operator="isA")),
    (CONSTRAINTS, lambda c: c[0].update(operator=["eq"])),
    (CONSTRAINTS, lambda c: c[0].update(unit="day")),
    (PERMISSION, lambda p: p.update(action="distribute")),
    (PERMISSION, lambda p: p.update(duty=[])),
    (("agreement",), lambda a: a.update(prohibition=[])),
    (("agreement",), lambda a: a.update(conflict="perm")),
    (("agreement",), lambda a: a["permission"].append(dict(a["permission"][0]))),
    (("agreement",), lambda a: a.update(permission={})),
    (("agreement",), lambda a: a.update(obligation=[{"action": "inform", "constraint": []}])),
])
def test_what_the_profile_does_not_know_is_a_refusal(build: Build, keys: Keys, path: tuple[Any, ...],
                                                     change: Callable[[Any], None]) -> None:
    study = build()
    assert code_of(changed(study, keys["north"], path, change), study, RefusedError) == "agreement.unknown-term"


@pytest.mark.parametrize(("left", "right"), [
    (f"{PROFILE}:rounds", "0"), (f"{PROFILE}:rounds", "1e3"), (f"{PROFILE}:rounds", 5), (f"{PROFILE}:code", "xyz"),
    ("odrl:dateTime", "2026-13-01T00:00:00Z"), ("odrl:dateTime", "tomorrow"), ("odrl:recipient", "alice"),
    (f"{PROFILE}:participant", ["b", "a"]), (f"{PROFILE}:differencing", "maybe"), ("odrl:recipient", ["a"] * 100),
])
def test_a_value_that_a_term_cannot_have(build: Build, keys: Keys, left: str, right: Any) -> None:
    study, key = build(), keys["north"]
    content = deepcopy(document(signed.agreed(study, key, "north")))
    constraint(content, left)["rightOperand"] = right
    assert code_of(resigned(content, key), study, RefusedError) == "agreement.bad-value"


def test_no_term_may_be_left_out(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    whole = document(signed.agreed(study, key, "north"))
    for index in range(len(at(whole, CONSTRAINTS))):
        content = deepcopy(whole)
        del at(content, CONSTRAINTS)[index]
        assert code_of(resigned(content, key), study, RefusedError) == "agreement.missing-term"


@pytest.mark.parametrize(("path", "change"), [
    ((), lambda m: m.update({"@context": ["https://example.org/other.jsonld"]})),
    ((), lambda m: m.update({"@context": m["@context"] + ["https://example.org/more.jsonld"]})),
    ((), lambda m: m.update({"@type": "ContractOfferMessage"})),
    ((), lambda m: m.update(extra=1)),
    ((), lambda m: m.update(agreement=[])),
    (("agreement",), lambda a: a.update(target="urn:sealane:dataset:all")),
    (("agreement",), lambda a: a.update(assigner="urn:sealane:party:" + "a" * 52)),
    (("agreement",), lambda a: a.update(profile="urn:other")),
    (("agreement",), lambda a: a.pop("timestamp")),
    (CONSTRAINTS, lambda c: c.reverse()),
])
def test_another_form_is_refused(build: Build, keys: Keys, path: tuple[Any, ...],
                                 change: Callable[[Any], None]) -> None:
    study = build()
    assert code_of(changed(study, keys["north"], path, change), study) == "agreement.malformed"


def test_the_largest_agreement_fits(build: Build) -> None:
    many = {f"n{i}": SigningKey(Secret(bytes([i, 1] * 16))) for i in range(64)}
    from sealane.governance.study import Participant
    study = build(participants=[Participant(name=n, fingerprint=k.fingerprint) for n, k in many.items()],
                  recipients=[analyst(f"r{i}", bytes([i + 64])) for i in range(64)])
    said = signed.agreement(study, many["n5"], "n5")
    assert verify_agreement(said, study).node == "n5"


def duties(*said: tuple[str, str, str]) -> list[Any]:
    return [{"action": "odrl:compensate", "constraint": [
        {"leftOperand": left, "operator": "eq", "rightOperand": right} for left, right in zip(
            ("odrl:payAmount", f"{PROFILE}:currency", f"{PROFILE}:per"), one, strict=True)]} for one in said]


@pytest.mark.parametrize(("said", "tariff"), [
    ([("0", "EUR", "run")], Tariff(currency="EUR")),
    ([("0.00", "EUR", "round")], Tariff(currency="EUR", per_round="0.00")),
    ([("9", "KWD", "run"), ("1.5", "KWD", "million rows"), ("2", "KWD", "round"), ("100", "KWD", "epsilon")],
     Tariff(currency="KWD", per_run="9", per_million_rows="1.5", per_round="2", per_epsilon="100")),
    ([("9", "EUR", "run"), ("2", "USD", "round")], None), ([("2", "EUR", "round"), ("9", "EUR", "run")], None),
    ([("9", "EUR", "run"), ("9", "EUR", "run")], None), ([("9", "EUR", "run"), ("0", "EUR", "round")], None),
    ([("9", "EUX", "run")], None), ([("9", "EUR", "row")], None), ([("-9", "EUR", "run")], None), ([], None),
    ([("1", "EUR", "run")] * 5, None),
])
def test_duties_to_pay_make_up_one_tariff(build: Build, keys: Keys, said: list[Any], tariff: Tariff | None) -> None:
    rules = write_policy(signed.terms(build(), tariff=None)) | {"obligation": duties(*said)}
    if tariff is None:
        with pytest.raises(RefusedError) as caught:
            read_policy(rules)
        assert caught.value.code in ("agreement.bad-value", "agreement.unknown-term")
    else:
        assert read_policy(rules).tariff == tariff
        assert write_policy(read_policy(rules)) == rules


MOMENTS = st.sampled_from(["2026-06-02T00:00:00Z", "2027-01-01T12:30:00Z"])
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
FINGERPRINTS = st.sets(st.from_regex(r"\A[a-z2-7]{51}[aq]\Z"), max_size=5).map(lambda some: tuple(sorted(some)))
AMOUNTS = st.from_regex(r"\A(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?\Z")
PRICES = st.just("0") | st.from_regex(r"\A(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?\Z")
COUNTS = st.integers(1, 999_999_999)


@given(st.builds(
    Terms, purpose=st.from_regex(r"\A[a-z][a-z0-9_-]{0,20}\Z"), computation=st.just("glm.fit"), parameters=HASHES,
    code=HASHES, participants=FINGERPRINTS, minimum_cohort=COUNTS, minimum_count=COUNTS, recipients=FINGERPRINTS,
    jurisdictions=st.none() | st.just(()) | st.just(("DE", "FR")), outputs=st.just(("model",)), rounds=COUNTS,
    runs=COUNTS, starts=st.none() | MOMENTS, expires=MOMENTS, epsilon=st.none() | AMOUNTS, delta=st.none() | AMOUNTS,
    tariff=st.none() | st.builds(Tariff, currency=st.sampled_from(["EUR", "JPY"]),
                                 **dict.fromkeys(UNITS.values(), PRICES)),
    waives_differencing=st.booleans()))
def test_terms_survive_being_a_policy(terms: Terms) -> None:
    rules = parse_canonical(canonical_bytes(write_policy(terms)))
    assert read_policy(rules) == terms


JSON = st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4))


@given(st.dictionaries(st.sampled_from(["permission", "obligation", "prohibition", "target"]), JSON | st.just(
    [{"action": "use", "constraint": [{"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "1"}]}])))
def test_any_rules_are_terms_or_a_refusal(rules: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        read_policy(rules)
