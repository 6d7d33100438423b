"""What a node answers to each announcement, opening and proposal, right and wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from circle import Circle, announce, entry, relay, seed_of, with_payload

from sealane.core.canonical import sha256
from sealane.errors import ProtocolError
from sealane.secagg.attempt import PROPOSAL
from sealane.secagg.layout import Layout, decode, plan
from sealane.secagg.messages import Arrival, Opening
from sealane.secagg.node_role import Contributed, after_agreement, after_sum
from sealane.secagg.terms import Term, count, update
from sealane.secagg.transcript import Transcript

TERMS: list[dict[str, Term]] = [{"n": count([k + 1, -k], 10, signed=True)} for k in range(3)]
LAYOUT: Layout = plan(TERMS[0], 3)


@pytest.fixture
def circle() -> Circle:
    return Circle(3)


@pytest.fixture
def states(circle: Circle) -> list[Contributed]:
    return circle.contribute(LAYOUT, TERMS)


def test_all_open_the_same_sum_and_move_to_the_same_transcript(circle: Circle, states: list[Contributed]) -> None:
    opened = circle.open(circle.release(states))
    assert [decode(LAYOUT, one.total, 3)["n"].tolist() for one in opened] == [[6, -3]] * 3
    assert len({one.transcript.value for one in opened}) == 1
    digest = circle.release(states)[0].digest
    total = b"".join((value % 2**64).to_bytes(8, "little") for value in (6, -3))
    assert opened[0].transcript == after_sum(states[0].sum.transcript, digest, total, opened[0].binder)
    assert len({one.binder for one in opened}) == 1


def test_the_binder_is_of_every_nodes_seed(circle: Circle, states: list[Contributed]) -> None:
    seeds = b"".join(len(s).to_bytes(8, "big") + s for s in (b"sealane binder v1", *(x.seed.reveal() for x in states)))
    assert circle.open(circle.release(states))[0].binder == hashlib.sha256(seeds).digest()


def test_saying_it_again_says_the_same_bytes(circle: Circle, states: list[Contributed]) -> None:
    role, state = circle.roles[0], states[0]
    again = role.restore(0, circle.attempt.transcript(), LAYOUT, state.seed, state.message.payload)
    assert again.message == state.message
    released = circle.release(states)[0]
    assert role.seal(again, released.digest, released.share) == released.message


def test_a_fresh_seed_gives_fresh_bytes(circle: Circle, states: list[Contributed]) -> None:
    others = circle.contribute(LAYOUT, TERMS, salt="again")
    assert all(one.message.payload != other.message.payload for one, other in zip(states, others, strict=True))


Lie = Callable[[Circle, list[Contributed], Arrival], Arrival]


def without_one(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=arrival.entries[:-1])


def with_one_twice(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=(*arrival.entries[:-1], arrival.entries[0]))


def with_an_entry_repeated(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=(*arrival.entries, arrival.entries[1]))


def with_own_replaced(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    other = circle.contribute(LAYOUT, TERMS, salt="another")[0]
    return replace(arrival, entries=(entry(other, circle.names[0]), *arrival.entries[1:]))


def with_another_description(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=(arrival.entries[0], replace(arrival.entries[1], description_hash=bytes(32)),
                                     arrival.entries[2]))


def with_an_unsigned_hash(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=(arrival.entries[0], replace(arrival.entries[1], payload_hash=bytes(32)),
                                     arrival.entries[2]))


def signed_for_another_exchange(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    other = circle.contribute(LAYOUT, TERMS, exchange=1)[1]
    return replace(arrival, entries=(arrival.entries[0], entry(other, circle.names[1]), arrival.entries[2]))


def signed_for_another_attempt(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    other = Circle(3, number=1).contribute(LAYOUT, TERMS)[1]
    return replace(arrival, entries=(arrival.entries[0], entry(other, circle.names[1]), arrival.entries[2]))


def signed_by_another(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, entries=(arrival.entries[0], entry(states[2], circle.names[1]), arrival.entries[2]))


def with_a_changed_payload(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    data = bytearray(arrival.payloads[circle.names[1]])
    data[3] ^= 1
    return replace(arrival, payloads={**arrival.payloads, circle.names[1]: bytes(data)})


def without_a_payload(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    return replace(arrival, payloads={circle.names[2]: arrival.payloads[circle.names[2]]})


def with_a_stranger(circle: Circle, states: list[Contributed], arrival: Arrival) -> Arrival:
    stranger = next(name for name in Circle(4).names if name not in circle.names)
    return replace(arrival, entries=(*arrival.entries[:-1], entry(states[2], stranger)))


@pytest.mark.parametrize(("lie", "code"), [
    (without_one, "run.arrival-incomplete"),
    (with_one_twice, "run.arrival-incomplete"),
    (with_an_entry_repeated, "run.arrival-incomplete"),
    (with_a_stranger, "run.arrival-incomplete"),
    (with_own_replaced, "run.contribution-replaced"),
    (with_another_description, "run.descriptions-differ"),
    (with_an_unsigned_hash, "signature.invalid"),
    (signed_for_another_exchange, "signature.invalid"),
    (signed_for_another_attempt, "signature.invalid"),
    (signed_by_another, "signature.invalid"),
    (with_a_changed_payload, "run.payload-differs"),
    (without_a_payload, "run.payload-differs"),
])
def test_an_announcement_that_lies_releases_nothing(
    lie: Lie, code: str, circle: Circle, states: list[Contributed]
) -> None:
    arrival = announce(states)[circle.names[0]]
    circle.roles[0].release(states[0], arrival)  # the control: told the truth, it releases
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(states[0], lie(circle, states, arrival))
    assert caught.value.code == code


def test_a_signed_contribution_of_another_length_is_refused(circle: Circle, states: list[Contributed]) -> None:
    from sealane.secagg.attempt import CONTRIBUTION

    for payload in (states[1].message.payload[:-8], states[1].message.payload + bytes(8), b""):
        liar = with_payload(states[1], payload)
        signature = circle.keys[1].sign(CONTRIBUTION, sha256(states[1].sum.transcript.value, sha256(payload)))
        liar = replace(liar, message=replace(liar.message, signature=signature))
        arrival = announce([states[0], liar, states[2]])[circle.names[0]]
        with pytest.raises(ProtocolError) as caught:
            circle.roles[0].release(states[0], arrival)
        assert caught.value.code == "words.wrong-length"


@pytest.mark.parametrize(("lie", "code"), [
    (lambda names, sealed: {names[1]: sealed[names[1]]}, "run.opening-incomplete"),
    (lambda names, sealed: {**sealed, names[0]: sealed[names[1]]}, "run.opening-incomplete"),
    (lambda names, sealed: {names[1]: sealed[names[2]], names[2]: sealed[names[1]]}, "sealing.invalid"),
    (lambda names, sealed: {**sealed, names[1]: sealed[names[1]][:-1]}, "sealing.invalid"),
    (lambda names, sealed: {**sealed, names[1]: b""}, "sealing.invalid"),
    (lambda names, sealed: {**sealed, names[1]: bytes(len(sealed[names[1]]))}, "sealing.invalid"),
])
def test_an_opening_that_lies_opens_nothing(
    lie: Callable[..., dict[str, bytes]], code: str, circle: Circle, states: list[Contributed]
) -> None:
    released = circle.release(states)
    honest = relay(circle.names, released)[circle.names[0]]
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].open(released[0], replace(honest, sealed=lie(circle.names, honest.sealed)))
    assert caught.value.code == code


def test_a_share_sealed_for_another_node_or_other_contributions_does_not_open(
    circle: Circle, states: list[Contributed]
) -> None:
    released = circle.release(states)
    honest = relay(circle.names, released)[circle.names[0]]
    meant_for_2 = released[1].message.sealed[circle.names[2]]
    other_digest = circle.roles[1].seal(states[1], bytes(32), released[1].share).sealed[circle.names[0]]
    other_sum = circle.release(circle.contribute(LAYOUT, TERMS, exchange=1))[1].message.sealed[circle.names[0]]
    for share in (meant_for_2, other_digest, other_sum):
        with pytest.raises(ProtocolError) as caught:
            circle.roles[0].open(released[0], replace(honest, sealed={**honest.sealed, circle.names[1]: share}))
        assert caught.value.code == "sealing.invalid"


def test_updates_are_opened_from_the_aggregate(circle: Circle) -> None:
    values = np.linspace(-1, 1, 50)
    terms = [{"u": update(values * (k + 1) / 3, 1.0, bits=20)} for k in range(3)]
    layout = plan(terms[0], 3)
    states = circle.contribute(layout, terms)
    arrivals = announce(states)
    assert not states[0].message.relay_whole
    assert arrivals[circle.names[0]].payloads == {}
    opened = circle.open(circle.release(states))
    read = decode(layout, opened[0].total, 3)["u"]
    assert np.abs(read - values * 2).max() < 3 * 2.0 / (2**20 - 1)
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(states[0], replace(arrivals[circle.names[0]], aggregate=b"\x00" * 8))
    assert caught.value.code == "masking.wrong-length"


def test_a_proposal_is_adopted_bit_for_bit(circle: Circle) -> None:
    transcript = circle.attempt.transcript()
    own = np.array([[1.0, -2.0], [3e-7, 0.0]])
    value = own * (1 + 5e-10)
    proposal = circle.roles[0].propose(4, transcript, value.astype("<f8").tobytes())
    adopted = circle.roles[1].adopt(4, transcript, own, proposal)
    assert adopted.tobytes() == value.tobytes()
    assert adopted.shape == (2, 2)
    assert after_agreement(4, transcript, b"x") != after_agreement(5, transcript, b"x")


def bent(value: np.ndarray, k: int, by: float) -> np.ndarray:
    out = value.copy()
    out.reshape(-1)[k] = by
    return out


OWN = np.array([1.0, -2.0, 3e-3, 0.0])


@pytest.mark.parametrize("value", [
    bent(OWN, 0, 1.0 + 3e-9), bent(OWN, 1, 2.0), bent(OWN, 2, 3e-3 + 1e-10), bent(OWN, 3, 1e-10),
    bent(OWN, 0, np.nan), bent(OWN, 0, np.inf), bent(OWN, 3, -np.inf),
])
def test_a_query_that_this_node_did_not_derive_is_refused(value: np.ndarray, circle: Circle) -> None:
    transcript = circle.attempt.transcript()
    proposal = circle.roles[0].propose(0, transcript, value.astype("<f8").tobytes())
    with pytest.raises(ProtocolError) as caught:
        circle.roles[1].adopt(0, transcript, OWN, proposal)
    assert caught.value.code == "run.proposal-differs"


def test_only_the_first_member_proposes_and_only_in_this_place(circle: Circle) -> None:
    transcript = circle.attempt.transcript()
    value = OWN.astype("<f8").tobytes()
    honest = circle.roles[0].propose(0, transcript, value)
    wrong = [
        circle.roles[1].propose(0, transcript, value),
        circle.roles[0].propose(1, transcript, value),
        circle.roles[0].propose(0, transcript.absorb("more"), value),
        replace(honest, value=bytes(len(honest.value))),
        replace(honest, value=honest.value[48:] + honest.value[:48]),
        replace(honest, signature=circle.keys[0].sign(PROPOSAL, value)),
    ]
    circle.roles[2].adopt(0, transcript, OWN, honest)
    for proposal in wrong:
        with pytest.raises(ProtocolError) as caught:
            circle.roles[2].adopt(0, transcript, OWN, proposal)
        assert caught.value.code == "signature.invalid"


def test_a_proposal_is_sealed_to_each_of_the_others(circle: Circle) -> None:
    transcript = circle.attempt.transcript()
    value = OWN.astype("<f8").tobytes()
    proposal = circle.roles[0].propose(3, transcript, value)
    assert len(proposal.value) == 2 * (len(value) + 16)
    assert value not in proposal.value
    assert len({proposal.value[k : k + 8] for k in range(0, len(proposal.value), 8)}) == len(proposal.value) // 8
    assert circle.roles[0].propose(3, transcript, value) == proposal
    signed = sha256(transcript.value, b"3", proposal.value[48:] + proposal.value[:48])
    swapped = replace(proposal, value=proposal.value[48:] + proposal.value[:48],
                      signature=circle.keys[0].sign(PROPOSAL, signed))
    with pytest.raises(ProtocolError) as caught:
        circle.roles[1].adopt(3, transcript, OWN, swapped)
    assert caught.value.code == "sealing.invalid"


def test_a_proposal_of_another_length_is_refused(circle: Circle) -> None:
    transcript = Transcript.start(b"t")
    for value in (b"", bytes(8 * OWN.size - 1), bytes(8 * OWN.size + 8)):
        with pytest.raises(ProtocolError) as caught:
            circle.roles[1].adopt(0, transcript, OWN, circle.roles[0].propose(0, transcript, value))
        assert caught.value.code == "run.proposal-malformed"


def test_nothing_secret_shows_in_a_state(circle: Circle, states: list[Contributed]) -> None:
    released = circle.release(states)
    shown = repr(states[0]) + repr(released[0]) + repr(circle.open(released)[0]) + repr(circle.roles[0])
    assert seed_of("mask", 0, "").reveal().hex() not in shown
    assert repr(states[0].seed.reveal()) not in shown
    assert "Secret(32 bytes)" in shown
    assert isinstance(relay(circle.names, released)[circle.names[0]], Opening)
