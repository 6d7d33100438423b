"""Attacks on a sum under ``rlwe``, by a coordinator, colluding nodes or both: each must fail, and fail loudly."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from circle import RUN, Circle, announce, entry, relay, seed_of

from sealane.crypto.sealing import seal
from sealane.errors import ProtocolError
from sealane.node.journal import Journal
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    Relayed,
    SumState,
    accept_contribution,
    accept_release,
    announce_survivors,
    announcement,
    opening,
)
from sealane.secagg.layout import Layout, decode, encode, plan
from sealane.secagg.messages import Arrival
from sealane.secagg.node_role import Contributed, Opened, Released
from sealane.secagg.rlwe.digits import from_digits
from sealane.secagg.rlwe.scheme import masked_digits
from sealane.secagg.scheme import form_of
from sealane.secagg.terms import Term, count, real, update

SIZE = 4
TERMS: list[dict[str, Term]] = [{"n": count([k + 1, -k, 10 * k], 100, signed=True)} for k in range(SIZE)]
LAYOUT: Layout = plan(TERMS[0], SIZE)
UPDATES: list[dict[str, Term]] = [{"n": update(np.array([k + 1.0, -k, 10.0 * k]), 127, 8)} for k in range(SIZE)]
UPDATE_LAYOUT: Layout = plan(UPDATES[0], SIZE)
SUM_OF_THREE = [1 + 2 + 3, 0 - 1 - 2, 0 + 10 + 20]


@pytest.fixture(scope="module")
def circle() -> Circle:
    return Circle(SIZE, scheme="rlwe")


@pytest.fixture(scope="module")
def states(circle: Circle) -> list[Contributed]:
    return circle.contribute(LAYOUT, TERMS)


@pytest.fixture(scope="module")
def updating(circle: Circle) -> list[Contributed]:
    return circle.contribute(UPDATE_LAYOUT, UPDATES)


def code(caught: pytest.ExceptionInfo[ProtocolError]) -> str:
    return caught.value.code


def announced(circle: Circle, states: Sequence[Contributed], who: Sequence[int]) -> dict[str, Arrival]:
    """What everybody is told where these survived: of updates their sum, of statistics the payloads."""
    first = states[0].message
    if first.relay_whole:
        return announce([states[k] for k in who], [circle.names[k] for k in who], circle.names)
    total = circle.roles[0].scheme.total(circle.attempt, form_of(first))
    for k in who:
        total.add(states[k].message.payload)
    entries = tuple(entry(states[k], circle.names[k]) for k in who)
    return {name: Arrival(first.run_id, first.attempt, first.exchange, entries, {}, total.write(),
                          {circle.names[k]: states[k].message.shares[name] for k in who if circle.names[k] != name})
            for name in circle.names}


def survive(circle: Circle, states: Sequence[Contributed], who: Sequence[int]) -> dict[int, Released]:
    """Tell everybody that these survived, and let everybody release."""
    arrivals = announced(circle, states, who)
    return {k: role.release(states[k], arrivals[role.own]) for k, role in enumerate(circle.roles)}


def opened_by(circle: Circle, released: dict[int, Released], reader: int, repliers: Sequence[int]) -> Opened:
    sealed = {circle.names[k]: released[k].message.sealed[circle.names[reader]]  # type: ignore[union-attr]
              for k in repliers if k != reader}
    first = released[reader].message
    assert first is not None
    told = relay(circle.names, [r for _, r in sorted(released.items())])[circle.names[reader]]
    return circle.roles[reader].open(released[reader], replace(told, sealed=sealed))


def test_a_sum_with_drop_outs_at_both_steps_opens_and_is_exact(circle: Circle, updating: list[Contributed]) -> None:
    """The control for all that follows: node 3 drops out before the survivors are fixed, node 2 before it replies."""
    released = survive(circle, updating, (0, 1, 2))
    for reader in (0, 1, 2, 3):  # a node that came too late still opens, and is still asked
        opened = opened_by(circle, released, reader, (0, 1, 3))
        assert decode(UPDATE_LAYOUT, opened.total, 3)["n"].tolist() == SUM_OF_THREE


@pytest.mark.parametrize("kind", ["statistics", "slots of groups"])
def test_it_opens_for_the_whole_cohort_only(kind: str, circle: Circle) -> None:
    """Without one of its members a group's slot would be the sum of the others, and digits of statistics would tell of
    single ones: nobody releases a share for that.
    """
    terms = TERMS if kind == "statistics" else [{"n": replace(one["n"], whole=True)} for one in UPDATES]
    layout = plan(terms[0], SIZE)
    assert layout.hash() != UPDATE_LAYOUT.hash()  # nodes that disagree about it do not sum together
    contributed = circle.contribute(layout, terms, exchange=2)
    arrival = announced(circle, contributed, (0, 1, 2))
    for k, role in enumerate(circle.roles):
        with pytest.raises(ProtocolError) as caught:
            role.release(contributed[k], arrival[role.own])
        assert code(caught) == "run.arrival-incomplete"
    released = survive(circle, contributed, range(SIZE))
    opened = opened_by(circle, released, 0, (0, 1, 3))
    assert decode(layout, opened.total, SIZE)["n"].tolist() == [10, -6, 60]


def test_sums_of_digits_tell_no_more_than_the_sum(circle: Circle) -> None:
    """1500 - 500 and 600 + 400 once gave other digits: how many institutions were negative, and what carried."""
    sums, transcript = 300, circle.attempt.transcript()
    seen: dict[tuple[int, ...], list[Any]] = {(1500, -500, 0, 0): [], (600, 400, 0, 0): []}
    for split, opened in seen.items():
        terms = [{"v": real([float(value)], 1e7)} for value in split]
        layout = plan(terms[0], SIZE)
        vectors = [encode(layout, own, seed_of("r")) for own in terms]
        for exchange in range(sums):
            digits = sum(masked_digits(role.sum(exchange, transcript, layout), role._pairs, vector).astype(np.int64)
                         for role, vector in zip(circle.roles, vectors, strict=True))
            assert decode(layout, from_digits(digits.astype(np.uint32), layout.width, 1))["v"] == [1000.0]
            opened.append(digits)
    one, other = (np.array(opened) for opened in seen.values())
    spread = np.sqrt((one.var(axis=0) + other.var(axis=0)) / sums)
    assert (np.abs(one.mean(axis=0) - other.mean(axis=0)) < 5 * spread).all()


def test_two_survivor_sets_of_one_round_do_not_both_open(circle: Circle, updating: list[Contributed]) -> None:
    """t + l shares of one set and t + j of another would give a difference; honest nodes answer for one set each."""
    for k in range(SIZE):  # each node remembers which set it answered, across a kill
        journal = Journal(":memory:")
        journal.join(RUN, circle.study_hash, seed_of("x"))
        journal.begin_attempt(RUN, 0, b"start")
        journal.contributed(RUN, 0, 0, UPDATE_LAYOUT.hash(), updating[k].seed, updating[k].message.payload)
        first = survive(circle, updating, (0, 1, 2))[k]
        journal.released(RUN, 0, 0, first.digest, first.share, whole_cohort=False)
        second = survive(circle, updating, (0, 1, 3))[k]
        with pytest.raises(ProtocolError) as caught:
            journal.released(RUN, 0, 0, second.digest, second.share, whole_cohort=False)
        assert code(caught) == "run.second-release"
        break
    # Node 3 colludes and answers for both sets; the honest three answer for one each. c = 1, n = 4: t = 2, Q = 3.
    one, other = survive(circle, updating, (0, 1, 2)), survive(circle, updating, (0, 1, 3))
    for honest_for_one in ((0, 1), (0,), (0, 1, 2)):
        repliers_one = [*honest_for_one, 3]
        repliers_other = [k for k in (0, 1, 2) if k not in honest_for_one] + [3]
        worked = []
        for released, repliers in ((one, repliers_one), (other, repliers_other)):
            with suppress(ProtocolError):
                worked.append(opened_by(circle, released, 3, repliers))
        assert len(worked) == (0 if len(honest_for_one) == 1 and len(repliers_other) < 3 else 1)
    # Nor do replies for one set pass for the other: they are sealed for the contributions they were made for.
    mixed = {0: one[0], 1: one[1], 2: other[2], 3: one[3]}
    with pytest.raises(ProtocolError) as caught:
        opened_by(circle, mixed, 3, (0, 1, 2))
    assert code(caught) == "sealing.invalid"


def test_fewer_shares_than_the_threshold_say_nothing_of_the_key(circle: Circle, states: list[Contributed]) -> None:
    """Any t = 2 shares of a key are as likely under any other key: they fit a polynomial through whatever secret."""
    from sealane.crypto.sharing import PRIME, lagrange
    from sealane.secagg.rlwe.parameters import parameters

    found = parameters(SIZE, 1, 10, 3)
    assert (found.privacy, found.packed, found.replies) == (2, 1, 3)
    shares = circle.roles[0].scheme.key_shares(states[0].sum, states[0].seed)
    two = [np.frombuffer(shares[circle.names[k]], "<u2").astype(np.int64) for k in (0, 1)]
    # For every secret there is one third share that makes it the secret: none is ruled out.
    for secret in (0, 5, PRIME - 7):
        matrix = lagrange((-1, 1, 2), (3,), PRIME).astype(np.int64)
        third = (np.stack([np.full_like(two[0], secret), *two], axis=1) @ matrix) % PRIME
        back = lagrange((1, 2, 3), (-1,), PRIME).astype(np.int64)
        assert set(((np.stack([*two, third[:, 0]], axis=1) @ back) % PRIME).ravel().tolist()) == {secret}


def test_a_replayed_contribution_is_of_another_sum(circle: Circle, states: list[Contributed]) -> None:
    """Every signature, key and polynomial is bound to the exchange: yesterday's ciphertext fits nothing today."""
    today = circle.contribute(LAYOUT, TERMS, exchange=1)
    assert today[1].message.payload != states[1].message.payload
    replayed = [today[0], replace(today[1], message=replace(states[1].message, exchange=1)), *today[2:]]
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(today[0], announce(replayed, circle.names)[circle.names[0]])
    assert code(caught) == "signature.invalid"


def test_the_polynomial_comes_from_the_transcript_and_nobody_chooses_it(circle: Circle) -> None:
    """The same seed under another transcript gives another key, another polynomial and another ciphertext."""
    role = circle.roles[0]
    ours = circle.attempt.transcript()
    other = ours.absorb("something another node saw")
    vector = encode(LAYOUT, TERMS[0], seed_of("r"))
    mine, theirs = (role.contribute(0, t, LAYOUT, vector, seed_of("same")) for t in (ours, other))
    assert mine.message.payload != theirs.message.payload
    assert role.scheme.key_shares(mine.sum, seed_of("same")) != role.scheme.key_shares(theirs.sum, seed_of("same"))
    zero = np.zeros_like(vector)
    bare = role.contribute(0, ours, LAYOUT, zero, seed_of("same"))
    assert bare.message.payload != mine.message.payload  # the control: the ciphertext does depend on what is in it


def test_a_ciphertext_under_another_transcript_opens_to_nothing(circle: Circle, states: list[Contributed]) -> None:
    """A coordinator that gets one node to encrypt for another polynomial sees the opening fail, at every node."""
    strange = circle.roles[1].contribute(0, circle.attempt.transcript().absorb("x"), LAYOUT, *vector_and_seed())
    forged = announce([states[0], replace(states[1], message=replace(
        states[1].message, payload=strange.message.payload)), *states[2:]], circle.names)
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(states[0], forged[circle.names[0]])
    assert code(caught) == "signature.invalid"
    # Where the coordinator adds up, no signature covers the sum; then the noise tells.
    total = circle.roles[0].scheme.total(circle.attempt, form_of(states[0].message))
    for payload in (states[0].message.payload, strange.message.payload, *(s.message.payload for s in states[2:])):
        total.add(payload)
    released = survive(circle, states, range(SIZE))
    bent = {k: replace(r, total=total) for k, r in released.items()}
    with pytest.raises(ProtocolError) as caught:
        opened_by(circle, bent, 0, range(SIZE))
    assert code(caught) == "rlwe.noise-out-of-range"


def vector_and_seed() -> tuple[np.ndarray, object]:
    vector = encode(LAYOUT, TERMS[1], seed_of("r"))
    assert isinstance(vector, np.ndarray)
    return vector, seed_of("mask", 1, "")


def test_a_share_of_an_outsider_is_refused(circle: Circle, states: list[Contributed]) -> None:
    released = survive(circle, states, range(SIZE))
    told = relay(circle.names, [released[k] for k in range(SIZE)])[circle.names[0]]
    stranger = next(name for name in Circle(6).names if name not in circle.names)
    some = next(iter(told.sealed.values()))
    for sealed, expected in (
        ({**told.sealed, stranger: some}, "run.opening-incomplete"),
        ({**told.sealed, circle.names[0]: some}, "run.opening-incomplete"),
        ({**told.sealed, circle.names[2]: seal(seed_of("guess"), bytes(16384), released[0].digest)}, "sealing.invalid"),
        ({circle.names[1]: told.sealed[circle.names[1]]}, "run.opening-incomplete"),
    ):
        with pytest.raises(ProtocolError) as caught:
            circle.roles[0].open(released[0], replace(told, sealed=sealed))
        assert code(caught) == expected


def test_a_wrong_share_is_seen(circle: Circle, states: list[Contributed]) -> None:
    """With a reply to spare by its degree, without one by the size of what it gives."""
    released = survive(circle, states, range(SIZE))
    share = bytearray(released[2].share.reveal())
    share[0:2] = ((int.from_bytes(share[:2], "little") + 1) % 65521).to_bytes(2, "little")
    lie = circle.roles[2].seal(states[2], released[2].digest, type(released[2].share)(bytes(share)))
    lied = {**released, 2: replace(released[2], message=lie)}
    for repliers in ((0, 1, 2, 3), (0, 1, 2)):
        with pytest.raises(ProtocolError) as caught:
            opened_by(circle, lied, 0, repliers)
        assert code(caught) in ("rlwe.shares-inconsistent", "rlwe.noise-out-of-range")
    too_large = b"\xff\xff" + released[2].share.reveal()[2:]
    lie = circle.roles[2].seal(states[2], released[2].digest, type(released[2].share)(too_large))
    with pytest.raises(ProtocolError) as caught:
        opened_by(circle, {**released, 2: replace(released[2], message=lie)}, 0, (0, 1, 2, 3))
    assert code(caught) == "rlwe.share-malformed"


def test_swapped_keys_are_refused(circle: Circle, states: list[Contributed]) -> None:
    first, second, *rest = circle.attempt.members
    swapped = (replace(first, agreement_key=second.agreement_key, signature=second.signature),
               replace(second, agreement_key=first.agreement_key, signature=first.signature), *rest)
    with pytest.raises(ProtocolError) as caught:
        circle.role(3, replace(circle.attempt, members=swapped))
    assert code(caught) == "signature.invalid"
    arrival = announce(states, circle.names)[circle.names[0]]
    shares = dict(arrival.shares)
    shares[circle.names[1]], shares[circle.names[2]] = shares[circle.names[2]], shares[circle.names[1]]
    with pytest.raises(ProtocolError) as caught:
        circle.roles[0].release(states[0], replace(arrival, shares=shares))
    assert code(caught) == "sealing.invalid"


@pytest.mark.parametrize("lie", [
    lambda p: p[:-1], lambda p: p + b"\0", lambda p: b"", lambda p: p[: len(p) // 2], lambda p: p[:-840],
    lambda p: b"\xff" * len(p),  # every residue at 2^30 - 1, beyond its prime
    lambda p: b"\xff\xff\xff\x3f" + p[4:],
])
def test_a_truncated_or_out_of_range_ciphertext_is_refused_before_it_is_added(
    lie: object, circle: Circle
) -> None:
    terms = [{"u": update(np.linspace(-1, 1, 700) * k / 4, 1.0)} for k in range(SIZE)]
    states = circle.contribute(plan(terms[0], SIZE), terms)
    assert not states[0].message.relay_whole
    gathering: SumState = Gathering(circle.attempt)
    gathering = accept_contribution(gathering, circle.names[0], states[0].message)
    bad = replace(states[1].message, payload=lie(states[1].message.payload))  # type: ignore[operator]
    with pytest.raises(ProtocolError) as caught:
        accept_contribution(gathering, circle.names[1], bad)
    assert code(caught) in ("run.payload-length", "rlwe.residue-out-of-range")


def test_a_node_that_answers_after_being_dropped_changes_nothing(circle: Circle) -> None:
    terms = [{"u": update(np.linspace(-1, 1, 700) * k / 4, 1.0)} for k in range(SIZE)]
    layout = plan(terms[0], SIZE)
    states = circle.contribute(layout, terms)
    state: SumState = Gathering(circle.attempt)
    with pytest.raises(ProtocolError) as caught:
        announce_survivors(state)
    assert code(caught) == "run.too-few-survivors"
    for k in (0, 1, 3):
        state = accept_contribution(state, circle.names[k], states[k].message)
    assert isinstance(state, Gathering)
    announced = announce_survivors(state)
    assert accept_contribution(announced, circle.names[2], states[2].message) is announced
    arrivals = {name: announcement(announced, name) for name in circle.names}
    assert circle.names[2] not in [entry.fingerprint for entry in arrivals[circle.names[0]].entries]
    released = {k: role.release(states[k], arrivals[role.own]) for k, role in enumerate(circle.roles)}
    after: SumState = announced
    for k in (0, 1, 3):
        assert not isinstance(after, Announced) or after.enough is (len(after.releases) >= 3)
        after = accept_release(after, circle.names[k], released[k].message)  # type: ignore[arg-type]
    assert isinstance(after, Announced)
    assert after.enough
    relayed = Relayed(after)
    assert accept_release(relayed, circle.names[2], released[2].message) is relayed  # type: ignore[arg-type]
    totals = [circle.roles[k].open(released[k], opening(after, circle.names[k])) for k in range(SIZE)]
    assert len({one.transcript.value for one in totals}) == 1
    read = decode(layout, totals[0].total, 3)["u"]
    wanted = np.linspace(-1, 1, 700) * (0 + 1 + 3) / 4
    assert np.abs(read - wanted).max() <= 3 * 2.0 / (2**16 - 1)


def test_a_contribution_that_holds_back_a_share_is_refused(circle: Circle, states: list[Contributed]) -> None:
    message = states[0].message
    for shares in ({}, dict(list(message.shares.items())[:-1]), {**message.shares, circle.names[0]: b"x"}):
        with pytest.raises(ProtocolError) as caught:
            accept_contribution(Gathering(circle.attempt), circle.names[0], replace(message, shares=shares))
        assert code(caught) == "run.shares-malformed"


def test_too_few_survivors_are_refused_by_every_node(circle: Circle, states: list[Contributed]) -> None:
    with pytest.raises(ProtocolError) as caught:
        survive(circle, states, (0, 1))
    assert code(caught) == "run.arrival-incomplete"
