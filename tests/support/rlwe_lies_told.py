"""Lies in a sum under ``rlwe``, as a member or the coordinator tells them in the play of a vector.

Each changes one thing, and returns the bytes told in place of the honest ones where it makes new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from reference import fingerprint_of
from rlwe_play import Play
from vector_cast import flipped

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.ring.base import ArrayValues
from sealane.secagg.fixed_point import encode_integers
from sealane.secagg.layout import encode
from sealane.secagg.messages import Arrival
from sealane.secagg.node_role import Released

OUTSIDER = Fingerprint(fingerprint_of(SigningKey(Secret(bytes(32))).public_key))


def too_many_colluding(play: Play) -> None:
    play.colluding = 2


def replayed_contribution(play: Play) -> None:
    play.send(1, play.before.states[1])


def payload_lie(payload: Callable[[Play], bytes]) -> Callable[[Play], bytes]:
    def lie(play: Play) -> bytes:
        play.send(1, play.with_payload(1, payload(play)))
        return play.states[1].message.payload

    return lie


def passed_on(payload: Callable[[Play], bytes]) -> Callable[[Play], bytes]:
    """The same, when the coordinator, which would refuse it, lies as well."""

    def lie(play: Play) -> bytes:
        play.pass_on(1, play.with_payload(1, payload(play)))
        return play.arrivals[play.names[0]].payloads[play.names[1]]

    return lie


def over_28_bits(play: Play) -> bytes:
    return play.ciphertext(1, bits=28)


def truncated(play: Play) -> bytes:
    return play.states[1].message.payload[:-4]


def largest_residue(payload: bytes) -> bytes:
    """The first residue, the lowest 30 bits, is its prime itself."""
    word = int.from_bytes(payload[:4], "little")
    return (word >> 30 << 30 | 1073692673).to_bytes(4, "little") + payload[4:]


def count_beyond_its_bound(play: Play) -> bytes:
    values = np.array([10_000, *play.terms[1]["n"].values[1:]])
    play.send(1, play.contribution(1, vector=encode_integers(values, 64)))
    return play.states[1].message.payload


def update_beyond_its_grid(play: Play) -> bytes:
    values = encode(play.layout, play.terms[1], play.seeds("rounding_seed")[1]).read(0, play.layout.length).copy()
    values[0] = 196_602
    play.send(1, play.contribution(1, vector=ArrayValues(values)))
    return play.states[1].message.payload


def misdealt_key_shares(play: Play) -> bytes:
    shares = play.key_shares(1)
    play.send(1, play.with_key_shares(1, {0: shares[2], 2: shares[0]}))
    return play.states[1].message.shares[play.names[0]]


def key_share_lie(change: Callable[[bytes], bytes]) -> Callable[[Play], bytes]:
    def lie(play: Play) -> bytes:
        play.send(1, play.with_key_shares(1, {0: change(play.key_shares(1)[0])}))
        return play.states[1].message.shares[play.names[0]]

    return lie


def contribution_of_an_outsider(play: Play) -> None:
    play.heard[1] = (OUTSIDER, play.heard[1][1])


def second_contribution(play: Play) -> bytes:
    again = play.with_payload(1, play.ciphertext(1, key_of=1)).message
    play.heard.insert(2, (play.names[1], again))
    return again.payload


def withheld_key_share(play: Play) -> None:
    shares = {name: sealed for name, sealed in play.states[1].message.shares.items() if name != play.names[2]}
    play.send(1, replace(play.states[1], message=replace(play.states[1].message, shares=shares)))


def update_of_another_ring(play: Play) -> bytes:
    message = replace(play.with_payload(1, play.ciphertext(1, bits=28)).message, word_bits=28)
    play.send(1, replace(play.states[1], message=message))
    play.heard[:2] = play.heard[1::-1]
    return message.payload


def told(play: Play, **fields: Any) -> None:
    """Tell member 0 something else."""
    play.arrivals[play.names[0]] = replace(play.arrivals[play.names[0]], **fields)


def entry_lie(name: str, change: Callable[[bytes], bytes]) -> Callable[[Play], bytes]:
    """Tell member 0 something else in one field of member 1's entry."""

    def lie(play: Play) -> bytes:
        first, second, *rest = play.arrivals[play.names[0]].entries
        changed = change(getattr(second, name))
        told(play, entries=(first, replace(second, **{name: changed}), *rest))
        return changed

    return lie


def replayed_exchange(play: Play) -> None:
    play.arrivals[play.names[0]] = play.before.arrivals[play.names[0]]


def too_few_survivors(play: Play) -> None:
    told(play, entries=play.arrivals[play.names[0]].entries[:2])


def doubled_entry(play: Play) -> None:
    entries = play.arrivals[play.names[0]].entries
    told(play, entries=(*entries, entries[1]))


def entry_of_an_outsider(play: Play) -> None:
    entries = play.arrivals[play.names[0]].entries
    told(play, entries=(*entries, replace(entries[1], fingerprint=OUTSIDER)))


def replaced_own_contribution(play: Play) -> None:
    entries = play.arrivals[play.names[0]].entries
    told(play, entries=(replace(entries[1], fingerprint=play.names[0]), *entries[1:]))


def changed_payload(play: Play) -> bytes:
    payloads = play.arrivals[play.names[0]].payloads
    changed = flipped(payloads[play.names[1]])
    told(play, payloads={**payloads, play.names[1]: changed})
    return changed


def swapped_key_shares(play: Play) -> None:
    _, one, two, _ = play.names
    shares = play.arrivals[play.names[0]].shares
    told(play, shares={**shares, one: shares[two], two: shares[one]})


def changed_key_share(play: Play) -> bytes:
    shares = play.arrivals[play.names[0]].shares
    changed = flipped(shares[play.names[1]])
    told(play, shares={**shares, play.names[1]: changed})
    return changed


def missing_key_share(play: Play) -> None:
    shares = play.arrivals[play.names[0]].shares
    told(play, shares={name: share for name, share in shares.items() if name != play.names[1]})


def aggregate_lie(aggregate: Callable[[Play, bytes], bytes]) -> Callable[[Play], bytes]:
    def lie(play: Play) -> bytes:
        told(play, aggregate=aggregate(play, play.arrivals[play.names[0]].aggregate))
        return play.arrivals[play.names[0]].aggregate

    return lie


def sum_of_all_but_1(play: Play, _: bytes) -> bytes:
    other = Play(play.vector | {"survivors": [0, 2, 3]}, before=play.before)
    for step in ("join", "contribute", "announce"):
        getattr(other, step)()
    return other.arrivals[play.names[0]].aggregate


def share_lie(share: Callable[[Play], bytes]) -> Callable[[Play], bytes]:
    """Member 1 releases another share, sealed for the same survivors."""

    def lie(play: Play) -> bytes:
        sealed = play.sum_share(1, share(play))
        play.say(1, sealed)
        return sealed

    return lie


def released_for_three(play: Play) -> Released:
    """What member 1 holds when it was told of survivors 0, 1 and 2."""
    arrival: Arrival = play.arrivals[play.names[1]]
    return play.roles[1].release(play.states[1], replace(arrival, entries=arrival.entries[:3]))


def own_share(play: Play) -> bytes:
    return play.released[1].share.reveal()


def one_more(play: Play) -> bytes:
    share = np.frombuffer(own_share(play), "<u2").astype(np.int64)
    share[0] = (share[0] + 1) % 65521
    return share.astype("<u2").tobytes()


def two_survivor_sets(play: Play) -> bytes:
    sealed = released_for_three(play).message.sealed[play.names[0]]
    play.say(1, sealed)
    return sealed


def opening_lie(change: Callable[[Play, dict[Fingerprint, bytes]], Any]) -> Callable[[Play], Any]:
    """Pass on other shares to member 0; ``change`` writes to them."""

    def lie(play: Play) -> Any:
        sealed = dict(play.openings[play.names[0]].sealed)
        changed = change(play, sealed)
        play.openings[play.names[0]] = replace(play.openings[play.names[0]], sealed=sealed)
        return changed

    return lie


def replayed_release(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    sealed[play.names[1]] = play.before.openings[play.names[0]].sealed[play.names[1]]


def share_of_an_outsider(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    sealed[OUTSIDER] = sealed[play.names[1]]


def share_under_own_name(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    sealed[play.names[0]] = sealed[play.names[1]]


def too_few_replies(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    del sealed[play.names[2]], sealed[play.names[3]]


def swapped_shares(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    _, one, two, _ = play.names
    sealed[one], sealed[two] = sealed[two], sealed[one]


def share_for_another(play: Play, sealed: dict[Fingerprint, bytes]) -> None:
    sealed[play.names[1]] = play.released[1].message.sealed[play.names[2]]


def changed_share(play: Play, sealed: dict[Fingerprint, bytes]) -> bytes:
    sealed[play.names[1]] = flipped(sealed[play.names[1]])
    return sealed[play.names[1]]


LIES: dict[str, Callable[[Play], Any]] = {
    "too-many-colluding": too_many_colluding,
    "replayed-contribution": replayed_contribution,
    "other-public-polynomial": payload_lie(lambda play: play.ciphertext(1, polynomial_of=1)),
    "key-of-another-attempt": payload_lie(lambda play: play.ciphertext(1, key_of=1)),
    "ciphertext-of-another-ring": payload_lie(over_28_bits),
    "ciphertext-of-another-ring-passed-on": passed_on(over_28_bits),
    "truncated-ciphertext": payload_lie(truncated),
    "truncated-ciphertext-passed-on": passed_on(truncated),
    "residue-out-of-range": payload_lie(lambda play: largest_residue(play.states[1].message.payload)),
    "count-beyond-its-bound": count_beyond_its_bound,
    "update-beyond-its-grid": update_beyond_its_grid,
    "misdealt-key-shares": misdealt_key_shares,
    "key-share-beyond-the-field": key_share_lie(lambda share: b"\xff\xff" + share[2:]),
    "short-key-share": key_share_lie(lambda share: share[:-2]),
    "contribution-of-an-outsider": contribution_of_an_outsider,
    "second-contribution": second_contribution,
    "withheld-key-share": withheld_key_share,
    "update-of-another-ring": update_of_another_ring,
    "replayed-exchange": replayed_exchange,
    "too-few-survivors": too_few_survivors,
    "doubled-entry": doubled_entry,
    "entry-of-an-outsider": entry_of_an_outsider,
    "replaced-own-contribution": replaced_own_contribution,
    "wrong-description": entry_lie("description_hash", lambda honest: bytes(32)),
    "changed-signature": entry_lie("signature", flipped),
    "changed-shares-hash": entry_lie("shares_hash", flipped),
    "changed-payload": changed_payload,
    "swapped-key-shares": swapped_key_shares,
    "changed-key-share": changed_key_share,
    "missing-key-share": missing_key_share,
    "truncated-aggregate": aggregate_lie(lambda play, whole: whole[:-4]),
    "aggregate-out-of-range": aggregate_lie(lambda play, whole: largest_residue(whole)),
    "aggregate-without-a-survivor": aggregate_lie(sum_of_all_but_1),
    "two-survivor-sets": two_survivor_sets,
    "share-of-other-survivors": share_lie(lambda play: released_for_three(play).share.reveal()),
    "wrong-share": share_lie(one_more),
    "finely-wrong-share": share_lie(one_more),
    "share-beyond-the-field": share_lie(lambda play: b"\xff\xff" + own_share(play)[2:]),
    "short-share": share_lie(lambda play: own_share(play)[:-2]),
    "replayed-release": opening_lie(replayed_release),
    "share-of-an-outsider": opening_lie(share_of_an_outsider),
    "share-under-own-name": opening_lie(share_under_own_name),
    "too-few-replies": opening_lie(too_few_replies),
    "swapped-shares": opening_lie(swapped_shares),
    "share-for-another": opening_lie(share_for_another),
    "changed-share": opening_lie(changed_share),
}
