from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sealane.core.canonical import canonical_bytes
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.approval import (
    APPROVAL_KIND,
    Approval,
    Refusal,
    SignedApproval,
    SignedRefusal,
    sign_approval,
    sign_refusal,
    verify_approval,
    verify_refusal,
)
from sealane.governance.study import Study

Build = Callable[..., Study]


def approval_of(study: Study, key: SigningKey, node: str = "north") -> Approval:
    return Approval(study.hash, node, key.fingerprint, "loans", "ab" * 32, False, "2026-06-01T12:00:00Z")


def code_of(signed: SignedApproval, study: Study) -> str:
    with pytest.raises(ProtocolError) as caught:
        verify_approval(signed, study)
    return caught.value.code


def test_round_trip(build: Build, keys: dict[str, SigningKey]) -> None:
    study, key = build(), keys["north"]
    approval = approval_of(study, key)
    assert verify_approval(sign_approval(key, approval), study) == approval
    refusal = Refusal(study.hash, "north", key.fingerprint, "no legal basis", "2026-06-01T12:00:00Z")
    assert verify_refusal(sign_refusal(key, refusal), study) == refusal


def test_an_approval_of_a_tampered_study_does_not_count(build: Build, keys: dict[str, SigningKey]) -> None:
    study, tampered = build(), build(minimum_count=1)
    assert code_of(sign_approval(keys["north"], approval_of(study, keys["north"])), tampered) == "approval.other-study"


def test_no_one_signs_for_another(build: Build, keys: dict[str, SigningKey]) -> None:
    study = build()
    assert code_of(sign_approval(keys["south"], approval_of(study, keys["north"])), study) == "approval.wrong-key"
    own = approval_of(study, keys["south"], node="north")
    assert code_of(sign_approval(keys["south"], own), study) == "approval.wrong-key"
    stranger = replace(own, node="atlantis")
    assert code_of(sign_approval(keys["south"], stranger), study) == "approval.not-a-participant"


def test_a_refusal_is_no_approval(build: Build, keys: dict[str, SigningKey]) -> None:
    study, key = build(), keys["north"]
    refusal = sign_refusal(key, Refusal(study.hash, "north", key.fingerprint, "no", "2026-06-01T12:00:00Z"))
    assert code_of(SignedApproval(refusal.body, refusal.public_key, refusal.signature), study) == "signature.invalid"
    approval = sign_approval(key, approval_of(study, key))
    with pytest.raises(ProtocolError):
        verify_refusal(SignedRefusal(approval.body, approval.public_key, approval.signature), study)


def test_any_changed_byte_is_noticed(build: Build, keys: dict[str, SigningKey]) -> None:
    study, key = build(), keys["north"]
    signed = sign_approval(key, approval_of(study, key))
    for index in range(len(signed.body)):
        body = bytearray(signed.body)
        body[index] ^= 1
        assert code_of(replace(signed, body=bytes(body)), study) == "signature.invalid"
    assert code_of(replace(signed, signature=signed.signature[:-1]), study) == "signature.malformed"
    assert code_of(replace(signed, public_key=b""), study) == "signature.malformed"


@pytest.mark.parametrize("change", [
    {"waives_differencing": 1}, {"dataset_version": "xyz"}, {"dataset": "../loans"}, {"approved_at": "yesterday"},
    {"extra": "field"}, {"version": "sealane.approval/v9"}, {"dataset": ["loans"]},
])
def test_well_signed_nonsense_is_refused(build: Build, keys: dict[str, SigningKey], change: dict[str, object]) -> None:
    study, key = build(), keys["north"]
    approval = approval_of(study, key)
    fields = {name: getattr(approval, name) for name in Approval.__dataclass_fields__}
    body = canonical_bytes({"version": "sealane.approval/v1"} | fields | change)
    signed = SignedApproval(body, key.public_key, key.sign(APPROVAL_KIND, body))
    assert code_of(signed, study) == "approval.malformed"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"", b"{ }", b'"' + b"a" * 5000 + b'"'])
def test_signed_bytes_that_are_no_approval(build: Build, keys: dict[str, SigningKey], body: bytes) -> None:
    key = keys["north"]
    assert code_of(SignedApproval(body, key.public_key, key.sign(APPROVAL_KIND, body)), build()) == "approval.malformed"


def test_reasons_are_bounded(build: Build, keys: dict[str, SigningKey]) -> None:
    study, key = build(), keys["north"]
    refusal = Refusal(study.hash, "north", key.fingerprint, "x" * 501, "2026-06-01T12:00:00Z")
    with pytest.raises(ProtocolError) as caught:
        verify_refusal(sign_refusal(key, refusal), study)
    assert caught.value.code == "refusal.malformed"


def test_no_one_refuses_for_another_or_for_another_study(build: Build, keys: dict[str, SigningKey]) -> None:
    study = build()
    good = Refusal(study.hash, "north", keys["north"].fingerprint, "no", "2026-06-01T12:00:00Z")
    for signer, refusal, of, code in (
        ("north", good, build(minimum_count=1), "refusal.other-study"),
        ("south", good, study, "refusal.wrong-key"),
        ("south", replace(good, fingerprint=keys["south"].fingerprint), study, "refusal.wrong-key"),
        ("north", replace(good, node="atlantis"), study, "refusal.not-a-participant"),
    ):
        with pytest.raises(ProtocolError) as caught:
            verify_refusal(sign_refusal(keys[signer], refusal), of)
        assert caught.value.code == code
