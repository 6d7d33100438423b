"""Masks against a second writing of the scheme, and what each mask must not share with another."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from circle import RUN, STUDY, Circle, integers, seed_of
from masked_words import opened, protect
from reference import Party, encode_real, signed, wire
from reference import Sum as SecondSum

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.errors import InputError, ProtocolError
from sealane.ring.words import WIDTHS, Width, from_bytes, limbs_of
from sealane.secagg.attempt import Attempt, sign_join
from sealane.secagg.layout import plan
from sealane.secagg.messages import Member
from sealane.secagg.scheme import Pairs, get_scheme
from sealane.secagg.terms import count, real
from sealane.secagg.transcript import Transcript

BOUND = {64: 8.0, 96: 1e6, 128: 1e15}


def second_writing(circle: Circle, width: int, entries: int) -> SecondSum:
    signing = sorted((seed_of("signing", k).reveal() for k in range(circle.size)),
                     key=lambda seed: Party(seed, b"", b"").fingerprint)
    parties = tuple(Party(seed, seed_of("agreement", RUN, k).reveal(), seed_of("mask", k, "").reveal())
                    for k, seed in enumerate(signing))
    fraction = plan({"x": real(np.zeros(entries), BOUND[width])}, circle.size).places[0].fraction
    description = {"width": width, "cohort": circle.size, "terms": [
        {"name": "x", "kind": "real", "shape": [entries], "bound": int(BOUND[width]), "bits": 0, "fraction": fraction}]}
    return SecondSum(bytes.fromhex(STUDY), RUN, 0, 0, parties, description)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_payload_is_that_of_a_second_writing(size: int, width: Width) -> None:
    circle = Circle(size)
    values = np.random.default_rng(size).normal(size=(size, 7))
    terms = [{"x": real(row, BOUND[width])} for row in values]
    layout = plan(terms[0], size)
    assert layout.width == width
    states = circle.contribute(layout, terms)
    facts = second_writing(circle, width, 7)
    fraction = layout.places[0].fraction
    for k, state in enumerate(states):
        plain = [encode_real(value, fraction) for value in values[k].tolist()]
        assert state.sum.transcript.value == facts.transcript
        assert state.message.payload == wire(facts.protect(facts.parties[k], plain), width)


def copied_key_attempt(victim: int, owner: int, copier: int, size: int, copy: bytes) -> tuple[Circle, Attempt]:
    circle = Circle(size)
    members = list(circle.attempt.members)
    join = sign_join(circle.keys[copier], STUDY, RUN, copy)
    members[copier] = Member(circle.keys[copier].fingerprint, circle.keys[copier].public_key, copy, join.signature)
    assert owner < victim < copier
    return circle, Attempt(RUN, STUDY, 0, "masking", tuple(members), 1, 3)


@pytest.mark.parametrize("spelling", ["the same bytes", "the top bit set"])
def test_a_copied_agreement_key_does_not_make_two_masks_cancel(spelling: str) -> None:
    """A member signs another's agreement key as its own: it cannot use it, but a third would derive one secret twice.

    X25519 ignores the top bit, so a copy need not even look like one. Were both masks the same, they would cancel in
    the payload of everyone between the two, whom any one other member, who learns its self mask, could then read.
    """
    circle = Circle(4)
    copy = bytearray(circle.agreements[0].public_key)
    if spelling == "the top bit set":
        copy[31] |= 0x80
    circle, attempt = copied_key_attempt(1, 0, 3, 4, bytes(copy))
    layout = plan({"n": count([0, 0], 2**40)}, 4)
    vector = np.array([[424242, 17]], dtype=np.uint64)
    role = circle.role(1, attempt)
    state = role.contribute(0, attempt.transcript(), layout, vector, seed_of("victim"))
    payload = from_bytes(state.message.payload, 64, 2)
    # Member 2 colludes: it holds its own pair secret with the victim, and the victim's released self mask.
    insider = Pairs(role.own, {circle.names[2]: circle.shared(2, 1)})
    known = protect(insider, state.sum.transcript, np.zeros((1, 2), dtype=np.uint64), 64, seed_of("victim"))
    assert integers(payload - known, 64) != [424242, 17]
    # The control: with the key that was copied, the secret behind both masks, it is read.
    both = {circle.names[k]: circle.agreements[1].shared(copy_of_0, circle.introduced(1)[circle.names[k]])
            for k, copy_of_0 in ((0, circle.agreements[0].public_key), (3, bytes(copy)))}
    known = protect(Pairs(role.own, both | dict(insider.secrets)), state.sum.transcript,
                    np.zeros((1, 2), dtype=np.uint64), 64, seed_of("victim"))
    assert integers(payload - known, 64) == [424242, 17]


def test_a_pair_agrees_on_its_mask_and_no_other_pair_has_it() -> None:
    names = [Fingerprint(letter * 52) for letter in "abc"]
    same = Secret(b"s" * 32)
    transcript = Transcript.start(b"t")
    zero = np.zeros((1, 4), dtype=np.uint64)

    def mask(own: int, peer: int) -> np.ndarray:
        bare = protect(Pairs(names[own], {}), transcript, zero, 64, seed_of(own))
        return protect(Pairs(names[own], {names[peer]: same}), transcript, zero, 64, seed_of(own)) - bare

    for low, high in ((0, 1), (0, 2), (1, 2)):
        assert np.array_equal(mask(low, high) + mask(high, low), zero)
    assert not np.array_equal(mask(0, 1), mask(0, 2))
    assert not np.array_equal(mask(0, 1), mask(1, 2))


def test_masks_differ_by_transcript_member_and_seed() -> None:
    names = [Fingerprint(letter * 52) for letter in "ab"]
    zero = np.zeros((2, 3), dtype=np.uint64)
    made = {
        protect(Pairs(own, {}), Transcript.start(text), zero, 128, seed_of(seed)).tobytes()
        for own in names for text in (b"t", b"u") for seed in range(2)
    }
    assert len(made) == 8


@pytest.mark.parametrize("width", WIDTHS)
def test_masks_fill_the_whole_ring_and_no_more(width: Width) -> None:
    zero = np.zeros((limbs_of(width), 4096), dtype=np.uint64)
    pairs = Pairs(Fingerprint("a" * 52), {Fingerprint("b" * 52): Secret(b"s" * 32)})
    masked = integers(protect(pairs, Transcript.start(b"t"), zero, width, seed_of(0)), width)
    ones = [sum(value >> bit & 1 for value in masked) for bit in range(width)]
    # 4096 fair coins a bit: seven standard deviations are 224. A constant bit is at 0 or 4096.
    assert all(abs(number - 2048) < 224 for number in ones)
    assert max(masked) < 2**width
    assert len(set(masked)) == 4096


def test_a_share_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        opened(bytes(8), 64, Transcript.start(b"t"), {Fingerprint("a" * 52): bytes(31)})
    assert caught.value.code == "masking.bad-share"


def test_the_input_is_left_alone_and_only_the_whole_cohort_opens() -> None:
    circle = Circle(3)
    terms = [{"n": count([k + 1], 10)} for k in range(3)]
    layout = plan(terms[0], 3)
    states = circle.contribute(layout, terms)
    assert [signed(v, 64) for v in integers(circle.open(circle.release(states))[0].total, 64)] == [6]
    for left_out in range(3):
        total = sum(integers(from_bytes(s.message.payload, 64, 1), 64)[0] for k, s in enumerate(states)
                    if k != left_out)
        shares = {circle.names[k]: states[k].seed.reveal() for k in range(3) if k != left_out}
        found = opened((total % 2**64).to_bytes(8, "little"), 64, states[0].sum.transcript, shares)
        assert integers(found, 64)[0] > 2**20  # not 1+2, 1+3 or 2+3: a pair mask is left in it


def test_an_unknown_scheme_is_refused() -> None:
    assert get_scheme("masking").name == "masking"
    with pytest.raises(InputError) as caught:
        get_scheme("blinding")
    assert caught.value.code == "scheme.unknown"


def test_agreement_is_what_the_second_writing_agrees() -> None:
    own, peer = (Party(bytes([k]) * 32, seed_of(k).reveal(), b"") for k in range(2))
    low, high = sorted((own, peer), key=lambda party: party.fingerprint)
    introduced = Secret(hashlib.sha256(low.agreement_seed + high.agreement_seed).digest())
    key = AgreementKey(Secret(own.agreement_seed))
    assert key.public_key == own.agreement_key
    assert key.shared(peer.agreement_key, introduced).reveal() == own.shared(peer) == peer.shared(own)
