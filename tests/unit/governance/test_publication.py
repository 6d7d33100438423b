"""What is published is bounded, signed by whom it names, and read back only in its one canonical form."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_publication import KEYS, made, signed

from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError, ProtocolError, SealaneError
from sealane.governance.catalog_query import CatalogQuery, fits
from sealane.governance.catalog_statement import SignedPublication, SignedWithdrawal
from sealane.governance.publication import (
    PUBLICATION_KIND,
    Publication,
    PublishedField,
    Withdrawal,
    next_sequence,
    round_down,
    sign_publication,
    sign_withdrawal,
    verify_publication,
    verify_withdrawal,
)


def test_what_was_signed_is_read_back() -> None:
    assert verify_publication(signed()) == made()
    withdrawal = Withdrawal(node="north", fingerprint=KEYS["north"].fingerprint, dataset="loans", sequence=8,
                            withdrawn_at="2026-03-03T00:00:00Z")
    assert verify_withdrawal(sign_withdrawal(KEYS["north"], withdrawal)) == withdrawal


def test_every_field_is_bound_by_the_signature() -> None:
    whole = signed()
    content = json.loads(whole.body)
    for name in content:
        changed = content | {name: "x" if content[name] != "x" else "y"}
        with pytest.raises(ProtocolError) as caught:
            verify_publication(replace(whole, body=canonical_bytes(changed)))
        assert caught.value.code == "signature.invalid"


def test_another_key_than_the_one_named_is_refused() -> None:
    body = signed().body
    forged = SignedPublication(body, KEYS["south"].public_key, KEYS["south"].sign(PUBLICATION_KIND, body))
    with pytest.raises(ProtocolError) as caught:
        verify_publication(forged)
    assert caught.value.code == "catalog.wrong-key"


def test_a_withdrawal_does_not_pass_for_a_publication() -> None:
    whole = signed()
    with pytest.raises(ProtocolError):
        verify_withdrawal(SignedWithdrawal(whole.body, whole.public_key, whole.signature))


@pytest.mark.parametrize("changes", [
    {"rows": 1234}, {"rounded_to": 1}, {"grade": 6}, {"sequence": 0}, {"title": ""}, {"title": "a\x00b"},
    {"keywords": ("k",) * 33}, {"terms": ("x" * 501,)}, {"updated_at": "yesterday"}, {"dataset": "No Name"},
    {"fields": ()}, {"fields": (PublishedField(name="a", type="number"),) * 2}, {"rows": -10}, {"extra": 1},
    {"fresh_until": "2026-09-01"}, {"dataset_version": "cd"},
])
def test_what_is_out_of_bounds_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        made(**changes)
    assert caught.value.code == "publication.malformed"


def test_a_malformed_body_is_the_senders_fault_though_its_signature_holds() -> None:
    key = KEYS["north"]
    good = json.loads(signed().body)
    for bad in (good | {"rows": 1234}, {k: v for k, v in good.items() if k != "grade"}, good | {"sample": [1]}, []):
        body = canonical_bytes(bad)
        with pytest.raises(ProtocolError) as caught:
            verify_publication(SignedPublication(body, key.public_key, key.sign(PUBLICATION_KIND, body)))
        assert caught.value.code == "catalog.malformed"


def test_a_publication_over_a_megabyte_is_not_signed() -> None:
    fields = tuple(PublishedField(name=f"f{k}", type="number", description="d" * 300) for k in range(3500))
    with pytest.raises(InputError) as caught:
        sign_publication(KEYS["north"], made(fields=fields))
    assert caught.value.code == "publication.too-large"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_publication_or_a_typed_error(body: bytes) -> None:
    key = KEYS["north"]
    with pytest.raises(SealaneError):
        verify_publication(SignedPublication(body, key.public_key, key.sign(PUBLICATION_KIND, body)))


@given(st.integers(0, 10**9), st.integers(2, 10**6))
def test_counts_are_rounded_down_by_less_than_the_minimum_count(count: int, to: int) -> None:
    rounded = round_down(count, to)
    assert rounded % to == 0
    assert 0 <= count - rounded < to


def test_a_sequence_follows_the_clock_but_never_goes_back() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    seconds = 1772323200
    assert [next_sequence(0, now), next_sequence(seconds + 5, now)] == [seconds, seconds + 6]


@pytest.mark.parametrize(("query", "expected"), [
    (CatalogQuery(), True),
    (CatalogQuery(sector="finance", field="int_rate", purpose="credit-risk", node="north", dataset="loans"), True),
    (CatalogQuery(text="CONSUMER arrears"), True), (CatalogQuery(text="consumer mortgage"), False),
    (CatalogQuery(text="aggregates"), True), (CatalogQuery(sector="health"), False),
    (CatalogQuery(field="rate"), False), (CatalogQuery(purpose="anti-fraud"), False), (CatalogQuery(node="no"), False),
])
def test_filters(query: CatalogQuery, expected: bool) -> None:
    assert fits(made(), query) is expected


def test_nothing_of_a_publication_can_hold_a_table() -> None:
    nested = [name for name, field in Publication.model_fields.items() if "dict" in str(field.annotation).lower()]
    assert nested == []
