"""Refusals, envelopes, and who may sign what about which study."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import signed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealane.core.canonical import canonical_bytes
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import (
    REFUSAL_VERSION,
    Refusal,
    SignedAgreement,
    SignedRefusal,
    claimed_study,
    envelope,
    read_envelope,
    sign_refusal,
    verify_refusal,
)
from sealane.governance.study import Study

Build = Callable[..., Study]
Keys = dict[str, SigningKey]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ProtocolError) as caught:
        call()
    return caught.value.code


def test_a_refusal_comes_back_as_it_was_signed(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    refusal = Refusal(study.hash, "north", key.fingerprint, "no legal basis", signed.AT)
    assert verify_refusal(sign_refusal(key, refusal), study) == refusal


def test_no_kind_passes_for_another(build: Build, keys: Keys) -> None:
    study, key = build(), keys["north"]
    refusal, agreement = signed.refusal(study, key, "north"), signed.agreement(study, key, "north")
    swapped = SignedAgreement(refusal.body, refusal.public_key, refusal.signature)
    assert code_of(lambda: verify_agreement(swapped, study)) == "signature.invalid"
    assert code_of(lambda: verify_refusal(SignedRefusal(agreement.body, agreement.public_key, agreement.signature),
                                          study)) == "signature.invalid"


def test_no_one_refuses_for_another_or_for_another_study(build: Build, keys: Keys) -> None:
    study = build()
    good = Refusal(study.hash, "north", keys["north"].fingerprint, "no", signed.AT)
    for signer, refusal, of, code in (
        ("north", good, build(minimum_count=1), "statement.other-study"),
        ("south", good, study, "statement.wrong-key"),
        ("south", replace(good, fingerprint=keys["south"].fingerprint), study, "statement.wrong-key"),
        ("north", replace(good, node="atlantis"), study, "statement.not-a-participant"),
        ("north", replace(good, refused_at="yesterday"), study, "statement.malformed"),
        ("north", replace(good, reason="x" * 501), study, "refusal.malformed"),
    ):
        assert code_of(lambda s=signer, r=refusal, o=of: verify_refusal(sign_refusal(keys[s], r), o)) == code


@pytest.mark.parametrize("change", [{"reason": 1}, {"extra": "field"}, {"version": "sealane.refusal/v9"}])
def test_well_signed_nonsense_is_refused(build: Build, keys: Keys, change: dict[str, object]) -> None:
    study, key = build(), keys["north"]
    fields = {"study": study.hash, "node": "north", "fingerprint": key.fingerprint, "reason": "", "refused_at":
              signed.AT}
    body = canonical_bytes({"version": REFUSAL_VERSION} | fields | change)
    said = SignedRefusal(body, key.public_key, key.sign(SignedRefusal.kind, body))
    assert code_of(lambda: verify_refusal(said, study)) == "refusal.malformed"


@pytest.mark.parametrize("body", [b"[]", b"", b"{ }", b'"' + b"a" * 40_000 + b'"'])
def test_signed_bytes_that_are_no_document(build: Build, keys: Keys, body: bytes) -> None:
    key = keys["north"]
    said = SignedAgreement(body, key.public_key, key.sign(SignedAgreement.kind, body))
    assert code_of(lambda: verify_agreement(said, build())) == "statement.malformed"
    assert code_of(lambda: claimed_study(said)) == "statement.malformed"


def test_an_envelope_is_dsse_and_verifies_by_another_library(build: Build, keys: Keys) -> None:
    """The signature is over DSSE's PAE, written out here after its specification."""
    study, key = build(), keys["north"]
    said = signed.agreement(study, key, "north")
    text = json.dumps(envelope(said)).encode()
    content = json.loads(text)
    payload, kind = base64.b64decode(content["payload"]), content["payloadType"]
    signature = base64.b64decode(content["signatures"][0]["sig"])
    pae = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(payload)).encode(), payload])
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(content["publicKey"])).verify(signature, pae)
    assert content["signatures"][0]["keyid"] == key.fingerprint
    assert read_envelope(text) == said


@pytest.mark.parametrize("data", [
    b"", b"[]", b"{}", b'{"signatures":[]}', b"\xff", b"[" * 100_000,
    b'{"payload":"!","payloadType":"application/vnd.sealane.refusal+json","publicKey":"","signatures":[{"sig":""}]}',
    b'{"payload":"","payloadType":"text/plain","publicKey":"","signatures":[{"sig":""}]}',
])
def test_a_file_that_is_no_envelope(data: bytes) -> None:
    assert code_of(lambda: read_envelope(data)) == "statement.malformed"
