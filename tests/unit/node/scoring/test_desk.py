"""Both sides of private scoring over a wire that the test holds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from expected_error import raises
from loans import loans
from score_models import CARD, LINEAR, NETWORK, card_points, linear_scores, network_scores
from scoring_pair import ASKER, OWNER, Pair

from sealane.core.clock import to_text
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, UnavailableError
from sealane.governance.scoring_grant import End, sign
from sealane.node.scoring import asker, book, owner
from sealane.node.scoring.parcels import Request, make_parcel, read_request, subject_of
from sealane.rpc.notices import Parcel
from sealane.secagg.ckks.owner import Owner as KeyHolder

pytest.importorskip("tenseal")
ROWS = loans(3, 40)
WIDE = {"total": 10_000, "may_reveal": True}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def holder() -> KeyHolder:
    return KeyHolder.create()


def test_scores_are_the_models(pair: Pair) -> None:
    for model, plain, most in ((LINEAR, linear_scores, 2e-4), (NETWORK, network_scores, 1e-4)):
        name = model["form"]
        got = pair.ask(pair.grant(model, name, **WIDE), ROWS)
        assert np.abs(got.values - plain(ROWS)).max() <= got.error <= most
    card = pair.ask(pair.grant(CARD, "card", **WIDE), ROWS)
    assert card.values.tolist() == card_points(ROWS).tolist()
    assert (card.error, card.probabilities) == (0.0, None)


def test_no_grant_reveals_a_model_unless_that_is_said(pair: Pair) -> None:
    entry = pair.grant(LINEAR)
    assert (entry.grant.total, entry.grant.rows, entry.grant.revealing) == (4, 4, 5)
    with raises("score.reveals-model", RefusedError):
        pair.grant(LINEAR, total=5)
    assert pair.grant(LINEAR, total=5, may_reveal=True).grant.may_reveal
    assert pair.grant(CARD, "card").grant.total == 3  # 3 bins and 2 levels: 2 + 1 numbers beside the base
    with raises("score.bad-grant", InputError):
        pair.grant(LINEAR, rows=5, total=4)


def test_rows_without_a_field_of_the_model_are_refused_before_anything_is_sent(pair: Pair) -> None:
    entry = pair.grant(LINEAR)
    before = len(pair.sent)
    with raises("score.field-missing", InputError):
        pair.ask(entry, ROWS[:2].drop(columns="annual_inc"))
    assert len(pair.sent) == before


def test_rows_are_counted_and_capped(pair: Pair) -> None:
    entry = pair.grant(LINEAR, rows=2)
    pair.ask(entry, ROWS[:2])
    with raises("score.period-reached", RefusedError):
        pair.ask(entry, ROWS[2:3])
    pair.clock.advance(timedelta(days=31))
    pair.ask(entry, ROWS[2:4])
    pair.clock.advance(timedelta(days=31))
    with raises("score.total-reached", RefusedError):
        pair.ask(entry, ROWS[4:5])
    assert pair.charged(entry) == 4
    again = pair.grant(LINEAR, "same-model-other-name")  # the same numbers are the same model
    with raises("score.total-reached", RefusedError):
        pair.ask(again, ROWS[4:5])


def test_rows_count_on_from_a_model_to_the_next_over_the_same_fields(pair: Pair) -> None:
    """What a refit tells is of the model before it as well: two grants of d rows each would reveal d + 1 numbers."""
    first = pair.grant(LINEAR, "january")
    pair.ask(first, ROWS[:4])
    refitted = pair.grant(LINEAR | {"intercept": LINEAR["intercept"] + 1e-9}, "february")
    with raises("score.total-reached", RefusedError):
        pair.ask(refitted, ROWS[4:5])
    assert pair.charged(refitted) == pair.charged(first) == 4
    said = pair.grant(LINEAR | {"intercept": LINEAR["intercept"] + 2e-9}, "march", total=8, may_reveal=True)
    pair.ask(said, ROWS[4:8])
    assert pair.charged(first) == 8
    other = pair.grant(CARD, "of-other-fields")
    assert pair.charged(other) == 0


def test_the_same_bytes_get_the_same_answer_and_are_counted_once(pair: Pair) -> None:
    entry = pair.grant(CARD, **WIDE)
    pair.ask(entry, ROWS[:3])
    first, request = pair.last("answer"), pair.last("request")
    pair.owner.receive(request)
    assert pair.last("answer") == first
    pair.owner.register.close()
    pair.owner = pair.desk("owner", OWNER)  # another start
    pair.owner.receive(request)
    assert pair.last("answer").body == first.body
    assert pair.charged(entry) == 3


def test_an_answer_that_is_no_longer_kept_is_not_made_anew(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "KEPT_ANSWERS", 1)
    entry = pair.grant(CARD, **WIDE)
    pair.ask(entry, ROWS[:3])
    old = pair.last("request")
    pair.ask(entry, ROWS[3:5])
    pair.owner.receive(old)
    refused = pair.last("refusal")
    assert b"score.answer-forgotten" in refused.body
    assert pair.charged(entry) == 5


def test_neither_side_has_what_is_the_others(pair: Pair) -> None:
    """Canaries: no bit pattern of a feature at the owner or on the wire, none of a coefficient at the asker."""
    marked = ROWS[:4].assign(int_rate=[17.123456789, 9.87654321, 33.3333333, 21.0101010101])
    pair.ask(pair.grant(LINEAR, **WIDE), marked)
    wire = b"".join(parcel.body for parcel in pair.sent)
    at_owner, at_asker = (b"".join(file.read_bytes() for file in pair.directory.glob(f"{name}.sqlite*"))
                          for name in ("owner", "asker"))
    scaled = 2 * marked["int_rate"].to_numpy() / 40 - 1
    for value in [*marked["int_rate"], *scaled]:
        for form in (struct.pack("<d", value), struct.pack(">d", value), repr(float(value)).encode()):
            assert form not in wire
            assert form not in at_owner
    for weight in [*LINEAR["weights"][:2], LINEAR["intercept"]]:
        for form in (struct.pack("<d", weight), struct.pack(">d", weight), repr(float(weight)).encode()):
            assert form not in wire
            assert form not in at_asker
    assert repr(LINEAR["weights"][0]).encode() in at_owner  # the canary would be seen where it is


@pytest.mark.parametrize(("code", "branch", "spoil"), [
    ("score.request-malformed", ProtocolError, lambda body: body[:20]),
    ("ckks.wrong-length", ProtocolError, lambda body: body[:-8]),
    ("ckks.residue-out-of-range", ProtocolError, lambda body: body[:-8] + b"\xff" * 8),
    ("signature.invalid", ProtocolError, lambda body: body[:8] + b"\x00" * 64 + body[72:]),
    ("ckks.wrong-header", ProtocolError, lambda body: body.replace(b"sealckks", b"sealckkz")),
])
def test_hostile_requests_are_refused_and_not_counted(pair: Pair, code: str, branch: type, spoil: object) -> None:
    entry = pair.grant(CARD, **WIDE)

    def spoiled(parcel: Parcel) -> Parcel:
        if parcel.kind != "request":
            return parcel
        body = spoil(parcel.body)  # type: ignore[operator]
        changed = make_parcel(ASKER, parcel.recipient, "request", subject_of(body), body)
        pair.asker._waiting[changed.subject] = pair.asker._waiting[parcel.subject]
        return changed

    pair.change = spoiled
    with raises(code, branch):
        pair.ask(entry, ROWS[:2])
    assert pair.charged(entry) == 0


def test_another_number_of_columns_than_the_grants(pair: Pair, holder: KeyHolder) -> None:
    entry = pair.grant(CARD, **WIDE)
    assert entry.acceptance is not None
    body = Request(entry.acceptance, holder.public, holder.encrypt(np.zeros((2, 4)))).to_bytes()
    with raises("score.wrong-columns", ProtocolError):
        pair.asker.exchange(make_parcel(ASKER, OWNER.fingerprint, "request", subject_of(body), body), 1.0)


def test_parcels_that_do_not_verify_change_nothing(pair: Pair) -> None:
    entry = pair.grant(CARD, **WIDE)
    pair.ask(entry, ROWS[:2])
    request = pair.last("request")
    stranger = SigningKey(Secret(bytes(32)))
    for bad, code in ((replace(request, body=request.body + b"x"), "signature.invalid"),
                      (replace(request, kind="answer"), "signature.invalid"),
                      (replace(request, recipient=ASKER.fingerprint), "parcel.for-another"),
                      (make_parcel(stranger, OWNER.fingerprint, "request", request.subject, request.body),
                       "score.unverified-peer"),
                      (make_parcel(ASKER, OWNER.fingerprint, "request", bytes(32), request.body),
                       "score.request-malformed"),
                      (make_parcel(ASKER, OWNER.fingerprint, "grant", bytes(32), entry.signed.to_bytes()),
                       "signature.invalid"),
                      (make_parcel(ASKER, OWNER.fingerprint, "end", bytes(32), b"short"), "signature.malformed")):
        with raises(code, ProtocolError):
            pair.owner.receive(bad)
    assert pair.charged(entry) == 2
    assert read_request(request.body).acceptance == entry.acceptance


def test_consent_of_both_and_its_end(pair: Pair) -> None:
    entry = pair.grant(CARD)
    offered = replace(entry, acceptance=None)
    with raises("score.not-accepted", RefusedError):
        pair.ask(offered, ROWS[:1])
    pair.asker.tell(entry)
    ended = sign(OWNER, End(grant=entry.hash, by=OWNER.fingerprint, ended_at=to_text(pair.clock())))
    pair.owner.register.scoring.end(entry.hash, ended)
    with raises("score.grant-ended", RefusedError):  # the owner's word, though the asker has not heard of it
        pair.ask(entry, ROWS[:1])
    pair.owner.tell(pair.owner.register.scoring.grant(entry.hash))
    assert pair.asker.register.scoring.grant(entry.hash).standing == "ended"
    with raises("score.which-grant", InputError):
        asker.received_grant(pair.asker.register, ASKER.fingerprint, "risk", None)
    kinds = [kind for kind, in pair.owner.register._read("SELECT kind FROM acts ORDER BY position")]
    assert kinds == ["score.granted", "score.accepted", "score.ended"]


def test_a_grant_whose_time_is_over_a_model_that_is_gone_a_node_in_quarantine(pair: Pair) -> None:
    entry = pair.grant(CARD)
    pair.owner.register.standings.quarantine("drill")
    with raises("score.quarantined", RefusedError):
        pair.ask(entry, ROWS[:1])
    pair.owner.register.standings.lift()
    pair.owner.register.scoring.remove_model("risk")
    with raises("score.model-gone", RefusedError):
        pair.ask(entry, ROWS[:1])
    pair.clock.advance(timedelta(days=91))
    with raises("score.grant-expired", RefusedError):
        pair.ask(entry, ROWS[:1])
    assert pair.charged(entry) == 0


def test_rows_that_the_model_is_not_for(pair: Pair) -> None:
    entry = pair.grant(LINEAR, **WIDE)
    with raises("score.outside-range", InputError):
        pair.ask(entry, ROWS[:2].assign(int_rate=[5.0, np.nan]))
    with raises("score.bad-rows", InputError):
        pair.ask(entry, ROWS[:0])
    with raises("score.over-grant", RefusedError):
        pair.ask(pair.grant(LINEAR | {"intercept": 0.5}, "other"), ROWS[:5])
    card = pair.grant(CARD, "card", **WIDE)
    with raises("score.outside-bins", InputError):
        pair.ask(card, ROWS[:1].assign(term=["unheard-of"]))
    assert pair.charged(entry) == 0


def test_an_owner_that_is_away(pair: Pair) -> None:
    entry = pair.grant(CARD)
    pair.change = lambda parcel: None
    with raises("score.no-answer", UnavailableError):
        pair.ask(entry, ROWS[:1])


def test_an_owner_without_the_extra(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(parameters: object) -> None:
        raise InputError("ckks.not-installed", "CKKS needs TenSEAL, which is not installed")

    entry = pair.grant(CARD)
    monkeypatch.setattr(owner, "prepare", absent)
    with raises("score.owner-not-ready", UnavailableError):
        pair.ask(entry, ROWS[:1])
    assert pair.charged(entry) == 0


def test_an_answer_to_another_request_and_a_refusal_that_is_none(pair: Pair) -> None:
    entry = pair.grant(CARD, **WIDE)
    pair.ask(entry, ROWS[:2])
    old = pair.last("answer").body

    def swapped(parcel: Parcel) -> Parcel:
        if parcel.kind != "answer":
            return parcel
        return make_parcel(OWNER, parcel.recipient, "answer", parcel.subject, old)

    pair.change = swapped
    with raises("ckks.wrong-answer", ProtocolError):
        pair.ask(entry, ROWS[:2])
    pair.change = lambda parcel: parcel if parcel.kind != "answer" else make_parcel(
        OWNER, parcel.recipient, "refusal", parcel.subject, b'{"code": "not all of it"}')
    with raises("score.refusal-malformed", ProtocolError):
        pair.ask(entry, ROWS[:2])


def test_a_peer_that_comes_back_is_told_again(pair: Pair) -> None:
    entry = pair.grant(CARD)
    pair.sent.clear()
    pair.asker.connected({OWNER.fingerprint: True})
    assert [parcel.kind for parcel in pair.sent] == ["question", "grant", "acceptance"]
    assert pair.owner.register.scoring.grant(entry.hash).standing == "accepted"
