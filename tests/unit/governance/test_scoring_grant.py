"""Consent to private scoring: what verifies, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from expected_error import raises
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import canonical_bytes
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.score_columns import Column
from sealane.governance.scoring_grant import GRANT_KIND, Acceptance, End, Grant, Signed, sign, verified

OWNER, ASKER = (SigningKey(Secret(bytes([k]) * 32)) for k in (1, 2))
GRANT = Grant(owner=OWNER.fingerprint, owner_name="north", asker=ASKER.fingerprint, asker_name="south", model="risk",
              commitment="0" * 64, form="linear", columns=(Column(name="x", kind="scaled", lower=0.0, upper=1.0),),
              scale=1.0, link="identity", whole=False, rows=1, days=30, total=1, may_reveal=False,
              granted_at="2026-01-01T00:00:00Z", until="2027-01-01T00:00:00Z")


def test_statements_verify_as_they_were_signed() -> None:
    signed = sign(OWNER, GRANT)
    assert verified(signed, Grant, OWNER.public_key) == GRANT
    assert Signed.from_bytes(signed.to_bytes()) == signed
    accepted = Acceptance(grant=signed.hash, asker=ASKER.fingerprint, accepted_at="2026-01-02T00:00:00Z")
    assert verified(sign(ASKER, accepted), Acceptance, ASKER.public_key) == accepted
    for other in (Grant, End):  # one kind never passes for another
        with raises("signature.invalid", ProtocolError):
            verified(sign(ASKER, accepted), other, ASKER.public_key)


def test_nobody_speaks_for_another() -> None:
    with raises("score.statement-of-another", ProtocolError):
        verified(sign(ASKER, GRANT), Grant, ASKER.public_key)
    signed = sign(OWNER, GRANT)
    with raises("signature.invalid", ProtocolError):
        verified(replace(signed, body=signed.body.replace(b'"rows":1', b'"rows":2')), Grant, OWNER.public_key)


@pytest.mark.parametrize("change", [
    {"total": 2}, {"rows": 2}, {"rows": 0}, {"days": 0}, {"until": "2026-01-01T00:00:00Z"}, {"scale": 0.0},
    {"commitment": "x"}, {"model": "../risk"}, {"asker": OWNER.fingerprint}, {"columns": []}, {"form": "tree"},
    {"version": "sealane.scoring-grant/v2"}, {"extra": 1}, {"total": True}, {"rows": 1.5}, {"granted_at": "yesterday"},
])
def test_grants_that_no_owner_can_have_meant(change: dict[str, Any]) -> None:
    body = canonical_bytes(json.loads(sign(OWNER, GRANT).body) | change)
    with raises("score.statement-malformed", ProtocolError):
        verified(Signed(body, OWNER.sign(GRANT_KIND, body)), Grant, OWNER.public_key)


def test_another_spelling_of_a_grant() -> None:
    body = sign(OWNER, GRANT).body + b" "
    with raises("score.statement-malformed", ProtocolError):
        verified(Signed(body, OWNER.sign(GRANT_KIND, body)), Grant, OWNER.public_key)


@given(st.binary(max_size=300))
def test_signed_bytes_of_any_kind_raise_nothing_else(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        verified(Signed(body, OWNER.sign(GRANT_KIND, body)), Grant, OWNER.public_key)
