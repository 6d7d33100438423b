from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, parse_study

Build = Callable[..., Study]


def test_canonical_bytes_are_sorted_compact_json_and_the_hash_is_theirs(build: Build) -> None:
    study = build()
    content = json.loads(study.canonical())
    assert study.canonical() == json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    assert study.hash == hashlib.sha256(study.canonical()).hexdigest()
    assert content["version"] == "sealane.study/v1"
    assert parse_study(study.canonical()) == study


def test_order_of_participants_does_not_matter(build: Build, keys: dict[str, SigningKey]) -> None:
    parties = [Participant(name=name, fingerprint=key.fingerprint) for name, key in keys.items()]
    assert build(participants=parties).hash == build(participants=parties[::-1]).hash
    assert [p.fingerprint for p in build().participants] == sorted(p.fingerprint for p in parties)


@pytest.mark.parametrize("change", [
    {"name": "other"}, {"purpose": "anti-fraud"}, {"parameters": {"outcome": "bad"}}, {"minimum_cohort": 4},
    {"minimum_count": 11}, {"colluding": 0}, {"rounds": 201}, {"runs": 1}, {"expires": "2026-07-02T00:00:00Z"},
    {"computation": "statistics.describe"}, {"data_contract": "finance.credit-application/v2"}, {"sector": "health"},
    {"epsilon": "1", "delta": "1e-6"},
])
def test_every_field_is_bound_by_the_hash(build: Build, change: dict[str, Any]) -> None:
    assert build(**change).hash != build().hash


@pytest.mark.parametrize(("change", "code"), [
    ({"minimum_cohort": 1}, "study.malformed"),
    ({"minimum_cohort": True}, "study.malformed"),
    ({"minimum_cohort": 3, "colluding": 2}, "study.cohort-too-small"),
    ({"minimum_cohort": 5}, "study.too-few-participants"),
    ({"minimum_count": 0}, "study.malformed"),
    ({"colluding": -1}, "study.malformed"),
    ({"rounds": 0}, "study.malformed"),
    ({"scheme": "none"}, "study.scheme-none"),
    ({"expires": "2026-07-01"}, "study.malformed"),
    ({"expires": "2026-07-01T02:00:00+02:00"}, "study.malformed"),
    ({"name": "Scorecard\n"}, "study.malformed"),
    ({"name": "scorecard\n"}, "study.malformed"),
    ({"computation": "glm"}, "study.malformed"),
    ({"data_contract": "finance"}, "study.malformed"),
    ({"charity": "1.0"}, "study.malformed"),
    ({"epsilon": 1.0, "delta": "1e-6"}, "study.malformed"),
    ({"epsilon": "1.0"}, "study.half-a-promise"),
    ({"epsilon": "one", "delta": "1e-6"}, "privacy.bad-amount"),
    ({"epsilon": "1", "delta": "1"}, "privacy.bad-delta"),
    ({"parameters": {"a": float("nan")}}, "canonical.not-json"),
    ({"parameters": {"a": 2**60}}, "canonical.not-json"),
    ({"parameters": {"a": "x" * 513}}, "study.parameters-too-large"),
    ({"parameters": {"a": [0] * 9000}}, "study.parameters-too-large"),
])
def test_rules(build: Build, change: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as caught:
        build(**change)
    assert caught.value.code == code


def test_deep_parameters_are_refused_without_recursion(build: Build) -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(InputError) as caught:
        build(parameters={"a": deep})
    assert caught.value.code == "study.parameters-too-large"


def test_two_institutions_need_colluding_zero(build: Build, keys: dict[str, SigningKey]) -> None:
    two = [Participant(name=name, fingerprint=keys[name].fingerprint) for name in ("north", "south")]
    assert build(participants=two, minimum_cohort=2, colluding=0).smallest_cohort == 2
    with pytest.raises(InputError):
        build(participants=two, minimum_cohort=2)


def test_parties_are_distinct(build: Build, keys: dict[str, SigningKey]) -> None:
    parties = [Participant(name=name, fingerprint=key.fingerprint) for name, key in keys.items()]
    twin = Participant(name="twin", fingerprint=keys["east"].fingerprint)
    namesake = Participant(name="east", fingerprint="a" * 52)
    for extra in (twin, namesake):
        with pytest.raises(InputError) as caught:
            build(participants=[*parties, extra])
        assert caught.value.code == "study.duplicate-party"
    stranger = recipient_of("east", SigningKey(Secret(b"s" * 32)), bytes(32))
    with pytest.raises(InputError) as caught:
        build(recipients=[stranger])
    assert caught.value.code == "study.ambiguous-party"
    with pytest.raises(InputError) as caught:
        build(recipients=[recipient_of("analyst", keys["east"], bytes(32))])
    assert caught.value.code == "study.ambiguous-party"


def test_parse_refuses_other_spellings(build: Build) -> None:
    data = build().canonical()
    content = json.loads(data)

    def refused(bad: bytes) -> str:
        with pytest.raises(InputError) as caught:
            parse_study(bad)
        return caught.value.code

    assert refused(json.dumps(content).encode()) == "canonical.not-canonical"
    assert refused(data[:-1]) == "canonical.not-json"
    assert refused(b"[]") == "study.malformed"
    assert refused(b'"' + b"x" * (1 << 18) + b'"') == "canonical.too-large"
    assert refused(b'{"a":' * 5000 + b"1" + b"}" * 5000) in ("canonical.not-json", "study.malformed")
    short = {key: value for key, value in content.items() if key != "rounds"}
    assert refused(json.dumps(short, sort_keys=True, separators=(",", ":")).encode()) == "study.not-canonical"
    mixed = content | {"participants": content["participants"][::-1]}
    assert refused(json.dumps(mixed, sort_keys=True, separators=(",", ":")).encode()) == "study.unsorted"
    newer = content | {"version": "sealane.study/v2"}
    assert refused(json.dumps(newer, sort_keys=True, separators=(",", ":")).encode()) == "study.malformed"


def test_malformed_studies_do_not_echo_their_input(build: Build) -> None:
    with pytest.raises(InputError) as caught:
        build(name="CANARY-77")
    assert "CANARY-77" not in str(caught.value.to_dict())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_study_or_an_input_error(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_study(data)


# RFC 8785 writes no int past 2^53 exactly, so that larger ones are refused (see the rules above); floats have no end.
numbers = st.integers(-2**53 + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.floats(1e15, 1e22)
scalars = st.none() | st.booleans() | numbers | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_any_bounded_parameters_survive_the_round_trip(parameters: dict[str, Any]) -> None:
    parties = [Participant(name=name, fingerprint=letter * 51 + "a") for name, letter in zip("xyz", "abc", strict=True)]
    study = Study(name="s", sector="finance", purpose="p", data_contract="finance.x/v1", computation="glm.fit",
                  parameters=parameters, expires="2027-01-01T00:00:00Z", participants=tuple(parties))
    again = parse_study(study.canonical())
    assert again == study
    assert again.hash == study.hash


def test_a_substituted_sealing_key_is_refused(build: Build) -> None:
    own = recipient_of("analyst", SigningKey(Secret(b"s" * 32)), bytes(32))
    swapped = own.model_copy(update={"sealing_key": "11" * 32})
    with pytest.raises(ProtocolError) as caught:
        build(recipients=[swapped])
    assert caught.value.code == "signature.invalid"
    other = own.model_copy(update={"fingerprint": "a" * 52})
    with pytest.raises(ProtocolError) as caught:
        build(recipients=[other])
    assert caught.value.code == "recipient.key-substituted"
