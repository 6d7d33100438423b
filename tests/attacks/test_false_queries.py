"""The coordinator, or a node, puts a query, an aggregate or a total in that nobody derived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from circle import Circle, added, announce, relay, seed_of, with_payload
from stage import Federation, Stage

from sealane.core.canonical import sha256
from sealane.errors import ProtocolError
from sealane.secagg.layout import decode, plan
from sealane.secagg.messages import Arrival, Contribution, Opening, Proposal, Release
from sealane.secagg.node_role import Contributed, after_sum
from sealane.secagg.terms import count, update
from sealane.simulation.faults import Fault

Build = Callable[..., Stage]
Federate = Callable[..., Federation]


def test_a_proposal_of_the_coordinators_own(federation: Federate) -> None:
    fed = federation()

    def lie(message: Proposal) -> Proposal:
        return replace(message, value=np.array([1e6]).astype("<f8").tobytes())

    error = fed.fails(Fault("replace", node=fed.by_rank[-1], message="Proposal", exchange=1, lie=lie))
    assert error.code == "signature.invalid"


async def test_a_proposal_signed_by_a_node_that_lies(stage: Build) -> None:
    """The first member itself proposes a centre that isolates somebody's rows."""
    on = stage()
    await on.offer()
    await on.begin()
    await on.announce()
    await on.relay()
    honest = on.heard("a", Proposal, 1)
    cohort = on.nodes["a"].run._running.cohort  # type: ignore[union-attr]
    assert cohort is not None
    before = on.nodes["b"].run._running.cohort.transcript  # type: ignore[union-attr]
    for value, code in ((np.array([39.0]), "run.proposal-differs"), (np.array([np.nan]), "run.proposal-differs"),
                        (np.array([1.0, 2.0]), "run.proposal-malformed")):
        lie = cohort._role.propose(1, before, value.astype("<f8").tobytes())
        await on.restart("b")
        await on.tell("b", on.arrival("b"))
        await on.tell("b", on.opening("b"))
        await on.tell("b", lie)
        assert on.refusal("b") == code
    assert lie != honest
    assert not [m for m in on.said["b"] if isinstance(m, Contribution) and m.exchange > 0]


def test_an_old_proposal_at_a_later_exchange(federation: Federate) -> None:
    fed = federation()
    kept: list[Proposal] = []

    def replay(message: Proposal) -> Proposal:
        kept.append(message)
        return replace(kept[0], exchange=message.exchange)

    error = fed.fails(Fault("replace", node=fed.by_rank[-1], message="Proposal", times=2, lie=replay))
    assert error.code == "signature.invalid"


LIES: list[tuple[Callable[[Arrival], Arrival], str]] = [
    (lambda m: replace(m, entries=m.entries[1:]), "run.arrival-incomplete"),
    (lambda m: replace(m, entries=tuple(replace(e, payload_hash=sha256(b"x")) for e in m.entries)),
     "run.contribution-replaced"),
    (lambda m: replace(m, entries=tuple(replace(e, description_hash=bytes(32)) for e in m.entries)),
     "run.descriptions-differ"),
]


def changed(at: int) -> Callable[[Arrival], Arrival]:
    def lie(message: Arrival) -> Arrival:
        data = bytearray(message.aggregate)
        data[at] ^= 1
        return replace(message, aggregate=bytes(data))
    return lie


@pytest.mark.parametrize(("lie", "code"), [
    (lambda m: replace(m, payloads={f: bytes(len(p)) for f, p in m.payloads.items()}), "run.payload-differs"),
    (lambda m: replace(m, payloads={}), "run.payload-differs"), *LIES])
def test_an_announcement_that_lies_ends_the_run(lie: Callable[[Arrival], Arrival], code: str,
                                                federation: Federate) -> None:
    fed = federation()
    error = fed.fails(Fault("replace", node="west", message="Arrival", exchange=0, times=-1, lie=lie))
    assert error.code == code
    assert "west" in str(error)
    assert not [name for name, _ in fed.seen(Release) if name == "west"]


@pytest.mark.parametrize(("lie", "code"), [
    (changed(0), "sum.total-changed"), (changed(-40), "sum.total-changed"), (changed(7), "sum.total-changed"),
    (lambda m: replace(m, aggregate=bytes(len(m.aggregate))), "sum.total-changed"),
    (lambda m: replace(m, aggregate=m.aggregate[:-8]), "words.wrong-length"),
    (lambda m: replace(m, aggregate=b""), "words.wrong-length"), *LIES])
def test_an_announcement_that_lies_of_what_opens_on_arrival(lie: Callable[[Arrival], Arrival], code: str,
                                                            federation: Federate) -> None:
    fed = federation()
    error = fed.fails(Fault("replace", node="west", message="Arrival", exchange=2, times=-1, lie=lie))
    assert error.code == code
    assert "west" in str(error)


def test_a_share_of_the_coordinators_own(federation: Federate) -> None:
    fed = federation()

    def lie(message: Any) -> Any:
        return replace(message, sealed={f: bytes(len(s)) for f, s in message.sealed.items()})

    assert fed.fails(Fault("replace", message="Opening", exchange=0, lie=lie)).code == "sealing.invalid"


def test_a_replaced_aggregate_of_updates_opens_to_nothing_of_use() -> None:
    """Updates are added by the coordinator: one it makes up is noise to every node, and is seen to be."""
    circle = Circle(4)
    terms = [{"u": update(np.full(64, 0.1 * k), 1.0)} for k in range(4)]
    layout = plan(terms[0], 4)
    states = circle.contribute(layout, terms)
    arrival = announce(states)[circle.names[0]]
    released = circle.release(states)
    opening = relay(circle.names, released)[circle.names[0]]
    victim = states[1].message.payload
    without = added([s.message.payload for k, s in enumerate(states) if k != 1], states[0].message.word_bits)
    for aggregate in (victim, without, bytes(len(victim)), arrival.aggregate[::-1]):
        with pytest.raises(ProtocolError) as caught:
            read_at_node_0(circle, states[0], replace(arrival, aggregate=aggregate), opening)
        assert caught.value.code in ("sum.total-out-of-range", "masking.slots-not-empty", "masking.stray-bits")
    # Different totals lead to different transcripts: nodes told differently never open anything again.
    honest = circle.open(released)
    assert len({one.transcript.value for one in honest}) == 1
    first = honest[0]
    other = after_sum(states[0].sum.transcript, released[0].digest, bytes(first.written[:-1]) + b"x", first.binder)
    assert other != first.transcript


def read_at_node_0(circle: Circle, state: Contributed, arrival: Arrival, opening: Opening) -> None:
    decode(state.sum.layout, circle.roles[0].open(circle.roles[0].release(state, arrival), opening).total)


def test_a_seed_that_was_not_used_is_seen_at_once() -> None:
    """A node that lies about its share, having learned the others', moves the total away, not where it likes."""
    circle = Circle(3)
    terms = [{"n": count([k] * 3, 100)} for k in range(3)]
    layout = plan(terms[0], 3)
    states = circle.contribute(layout, terms)
    released = circle.release(states)
    told = circle.roles[2].seal(states[2], released[2].digest, seed_of("another"))
    opening = relay(circle.names, [*released[:2], replace(released[2], message=told)])[circle.names[0]]
    opened = circle.roles[0].open(released[0], opening)
    with pytest.raises(ProtocolError) as caught:
        decode(layout, opened.total)
    assert caught.value.code == "sum.total-out-of-range"


def test_a_signature_for_one_purpose_serves_no_other() -> None:
    circle = Circle(3)
    transcript = circle.attempt.transcript()
    value = np.array([1.0]).astype("<f8").tobytes()
    body = sha256(transcript.value, b"0", value)
    honest = circle.roles[0].propose(0, transcript, value)
    kinds = ("contribution", "endorsement", "join", "agreement+json", "sealing-key")
    for kind in kinds:
        forged = replace(honest, signature=circle.keys[0].sign(f"application/vnd.sealane.{kind}", body))
        with pytest.raises(ProtocolError) as caught:
            circle.roles[1].adopt(0, transcript, np.array([1.0]), forged)
        assert caught.value.code == "signature.invalid"


def test_a_payload_shifted_by_the_coordinator_is_no_longer_the_one_that_was_signed() -> None:
    circle = Circle(3)
    terms = [{"n": count([k], 100)} for k in range(3)]
    states = circle.contribute(plan(terms[0], 3), terms)
    word = int.from_bytes(states[1].message.payload, "little")
    shifted = with_payload(states[1], ((word + 5) % 2**64).to_bytes(8, "little"))
    arrival = announce([states[0], shifted, states[2]])[circle.names[0]]
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(states[0], arrival)
    assert caught.value.code == "signature.invalid"
