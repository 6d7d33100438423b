"""Totals, tariffs and statements: exact sums, amounts worked out by hand, and every lie named."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from circle import seed_of
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import canonical_bytes
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError
from sealane.governance.metering import MeteredRun, Totals, metered, read_metered, total
from sealane.governance.statement import (
    STATEMENT_KIND,
    Settlement,
    Side,
    SignedStatement,
    countersign,
    read_statement,
    settle,
    sign_statement,
    verify_statement,
    write_statement,
)
from sealane.governance.tariff import Tariff, bill, due, read_tariff, read_words

NODE, ANALYST, OTHER = (SigningKey(seed_of("metering", name)) for name in ("north", "alice", "mallory"))
STUDY = "5a" * 32
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
TARIFF = Tariff(currency="EUR", per_run="10.00", per_million_rows="2.50", per_round="0.015", per_epsilon="100")


def run_id(number: int) -> str:
    return "r-" + "".join(LETTERS[number >> 5 * k & 31] for k in range(16))


def event(number: int = 0, **changes: Any) -> MeteredRun:
    fields: dict[str, Any] = {
        "run": run_id(number), "study": STUDY, "node": "north", "fingerprint": NODE.fingerprint, "dataset": "loans",
        "rows": 1200, "rounds": 9, "bytes_sent": 4321, "cpu_us": 1500, "wall_us": 90000, "outcome": "completed",
        "ended_at": "2026-03-05T10:00:00Z"}
    return metered(fields | changes)


def side(name: str, key: SigningKey) -> Side:
    return Side(name=name, fingerprint=key.fingerprint, signing_key=key.public_key.hex())


def settled(events: list[MeteredRun], tariff: Tariff = TARIFF) -> Settlement:
    return settle(node=side("north", NODE), recipient=side("alice", ANALYST), study=STUDY, study_name="scorecard",
                  period=("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"), issued_at="2026-04-02T00:00:00Z",
                  tariff=tariff, agreement=None, events=events)


EVENTS = st.lists(st.builds(
    lambda number, rows, rounds, sent, cpu, wall, epsilon, done: event(
        number, rows=rows, rounds=rounds, bytes_sent=sent, cpu_us=cpu, wall_us=wall, epsilon=epsilon,
        outcome="completed" if done else "run.cancelled"),
    st.integers(0, 10**12), *[st.integers(0, 2**40)] * 5,
    st.none() | st.decimals(0, 10**6, places=18).map(lambda d: f"{d:f}"), st.booleans(),
), max_size=12, unique_by=lambda one: one.run)


@given(EVENTS)
def test_totals_are_the_sum_of_the_events_exactly(events: list[MeteredRun]) -> None:
    statement = settled(events)
    said = json.loads(statement.model_dump_json())
    for name in ("rows", "rounds", "bytes_sent", "cpu_us", "wall_us"):
        assert said["totals"][name] == sum(one[name] for one in said["events"])
        assert said["charged"][name] == sum(one[name] for one in said["events"] if one["outcome"] == "completed")
    scaled = sum(int(Decimal(one["epsilon"]).scaleb(18)) for one in said["events"] if one["epsilon"] is not None)
    assert int(Decimal(said["totals"]["epsilon"]).scaleb(18)) == scaled
    assert Decimal(said["due"]) == sum(Decimal(line["amount"]) for line in said["lines"])


@given(EVENTS)
def test_an_event_survives_its_bytes(events: list[MeteredRun]) -> None:
    assert [read_metered(one.canonical()) for one in events] == events


def test_a_bill_worked_out_by_hand() -> None:
    totals = Totals(runs=3, rows=1_234_560, rounds=27, epsilon=Decimal("0.75"))
    lines = bill(totals, TARIFF)
    # 3 × 10.00; 1.23456 × 2.50 = 3.0864; 27 × 0.015 = 0.405, half to even; 0.75 × 100
    assert [str(line.amount) for line in lines] == ["30.00", "3.09", "0.40", "75.00"]
    assert str(due(lines)) == "108.49"


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1"), ("KWD", "1.235"), ("USD", "1.23"), ("CNY", "1.23")])
def test_amounts_have_the_digits_of_their_currency(currency: str, amount: str) -> None:
    lines = bill(Totals(runs=1), Tariff(currency=currency, per_run="1.2346"))
    assert str(lines[0].amount) == amount


def test_no_digit_is_lost_in_the_largest_bill() -> None:
    lines = bill(Totals(rounds=2**53 - 1), Tariff(currency="EUR", per_round="999999999999.99"))
    assert str(lines[2].amount).replace(".", "") == str((2**53 - 1) * 99999999999999)


@pytest.mark.parametrize(("text", "code"), [
    ('currency = "EUX"', "tariff.malformed"), ('currency = "EUR"\nper_run = 1.5', "tariff.malformed"),
    ('currency = "EUR"\nper_run = "-1"', "tariff.malformed"), ('per_run = "1"', "tariff.malformed"),
    ('currency = "EUR"\nper_run = "1e3"', "tariff.malformed"), ('currency = "EUR"\nper_hour = "1"', "tariff.malformed"),
    ("currency", "tariff.not-toml"), ("x" * 5000, "tariff.too-large"),
])
def test_what_is_no_tariff_is_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read_tariff(text.encode())
    assert caught.value.code == code


@pytest.mark.parametrize(("text", "tariff"), [
    ("EUR 12.50 per run", Tariff(currency="EUR", per_run="12.50")),
    (" EUR 10.00 per run,  2.50 per million rows, 0.01 per round, 100 per epsilon", Tariff(
        currency="EUR", per_run="10.00", per_million_rows="2.50", per_round="0.01", per_epsilon="100")),
    ("EUR", None), ("cheap", None), ("EUX 1 per run", None), ("EUR 1 per row", None),
    ("EUR 1 per run, 2 per run", None),
    ("EUR 1 per run,", None), ("EUR -1 per run", None), ("1 per run", None),
])
def test_a_tariff_in_words(text: str, tariff: Tariff | None) -> None:
    if tariff is None:
        with pytest.raises(InputError) as caught:
            read_words(text)
        assert caught.value.code == "tariff.malformed"
    else:
        assert read_words(text) == read_words(tariff.describe()) == tariff


@pytest.mark.parametrize("changes", [
    {"run": "r-1"}, {"rows": -1}, {"rows": 1.5}, {"epsilon": "1e-3"}, {"epsilon": 1.0}, {"outcome": "It failed"},
    {"ended_at": "now"}, {"values": [1]}, {"bytes_sent": 2**53},
])
def test_what_is_no_event_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        event(0, **changes)
    assert caught.value.code == "metering.malformed"


def test_only_runs_that_completed_are_charged() -> None:
    statement = settled([event(0), event(1, outcome="run.cancelled"), event(2, outcome="run.left-out")])
    assert (statement.totals["runs"], statement.charged["runs"]) == (3, 1)
    assert statement.lines[0]["amount"] == "10.00"


def test_an_event_counts_once() -> None:
    with pytest.raises(InputError) as caught:
        total([event(0), event(0, rows=0)])
    assert caught.value.code == "metering.counted-twice"


def both() -> SignedStatement:
    return countersign(ANALYST, sign_statement(NODE, settled([event(0), event(1, rows=80)])))


def test_signed_written_read_countersigned_and_verified() -> None:
    first = sign_statement(NODE, settled([event(0)]))
    assert read_statement(write_statement(first)) == first
    with pytest.raises(RefusedError) as caught:
        verify_statement(first, both=True)
    assert caught.value.code == "settlement.not-signed"
    assert "alice" in str(caught.value.got)
    second = countersign(ANALYST, first)
    assert second.body == first.body
    assert verify_statement(read_statement(write_statement(second)), both=True).due == "10.14"
    assert countersign(ANALYST, second) == second


@pytest.mark.parametrize(("change", "named"), [
    (lambda c: c["totals"].update(rows=c["totals"]["rows"] + 1), "totals: rows"),
    (lambda c: c["charged"].update(rounds=1), "charged: rounds"),
    (lambda c: c["lines"][0].update(amount="9.00"), "line runs: amount"),
    (lambda c: c.update(due="0.01"), "due"),
    (lambda c: c["events"][1].update(rows=90), "totals: rows"),
    (lambda c: c["events"].pop(), "totals"),
    (lambda c: c["tariff"].update(per_run="11.00"), "line runs"),
    (lambda c: c["lines"].pop(), "lines"),
])
def test_a_changed_figure_is_named(change: Any, named: str) -> None:
    whole = both()
    content = json.loads(whole.body)
    change(content)
    with pytest.raises(ProtocolError) as caught:
        verify_statement(replace(whole, body=canonical_bytes(content)))
    assert caught.value.code == "settlement.figure-differs"
    assert named in str(caught.value.got)


def test_figures_changed_in_step_do_not_pass_the_signature() -> None:
    whole = both()
    cheaper = settled([event(0, rounds=1), event(1, rows=80)])
    forged = replace(whole, body=canonical_bytes(cheaper.model_dump(mode="json")))
    with pytest.raises(ProtocolError) as caught:
        verify_statement(forged)
    assert caught.value.code == "settlement.signature-invalid"
    assert "north" in caught.value.message


def test_a_signature_by_the_wrong_key_is_named() -> None:
    statement = settled([event(0)])
    with pytest.raises(RefusedError) as caught:
        sign_statement(OTHER, statement)
    assert caught.value.code == "settlement.not-your-side"
    first = sign_statement(NODE, statement)
    with pytest.raises(RefusedError):
        countersign(OTHER, first)
    posing = replace(first, signatures=((OTHER.fingerprint, OTHER.sign(STATEMENT_KIND, first.body)),))
    with pytest.raises(ProtocolError) as stranger:
        verify_statement(posing)
    assert stranger.value.code == "settlement.wrong-key"
    assert stranger.value.got == OTHER.fingerprint
    under_its_name = replace(first, signatures=((NODE.fingerprint, OTHER.sign(STATEMENT_KIND, first.body)),))
    with pytest.raises(ProtocolError) as forged:
        verify_statement(under_its_name)
    assert forged.value.code == "settlement.signature-invalid"
    only_the_recipient = replace(first, signatures=((ANALYST.fingerprint, ANALYST.sign(STATEMENT_KIND, first.body)),))
    with pytest.raises(RefusedError):
        verify_statement(only_the_recipient)


@pytest.mark.parametrize(("wrong", "code"), [
    (event(0, study="6b" * 32), "settlement.foreign-event"), (event(0, node="south"), "settlement.foreign-event"),
    (event(0, ended_at="2026-04-01T00:00:00Z"), "settlement.outside-period"),
])
def test_an_event_of_elsewhere_is_refused(wrong: MeteredRun, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        settled([wrong])
    assert caught.value.code == code


@given(st.binary(max_size=300))
def test_any_file_is_a_statement_or_a_typed_error(data: bytes) -> None:
    with pytest.raises(SealaneError):
        verify_statement(read_statement(data))


@pytest.mark.parametrize("envelope", [
    {"payloadType": "x", "payload": "", "signatures": [{}]}, {"payloadType": STATEMENT_KIND, "payload": "",
                                                             "signatures": []}, [], 3,
    {"payloadType": STATEMENT_KIND, "payload": "e30=", "signatures": [{"keyid": "a", "sig": ""}] * 2},
])
def test_malformed_envelopes(envelope: object) -> None:
    with pytest.raises(InputError) as caught:
        read_statement(json.dumps(envelope).encode())
    assert caught.value.code == "settlement.malformed"
