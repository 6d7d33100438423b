"""Each vector's script is played by the code, and ends with the verdict written in the file."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from circle import added_words, announce, integers, relay, unwired
from reference import signed, wire
from vector_cast import Cast, flipped

from sealane.core.canonical import sha256
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import seal
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.secagg.attempt import CONTRIBUTION, sign_join
from sealane.secagg.layout import decode, encode
from sealane.secagg.messages import Arrival, Opening
from sealane.secagg.node_role import Contributed, Released

HERE = Path(__file__).parent
FILES = sorted((HERE / "v1" / "masking").glob("*.json"))
generator: dict[str, Any] = runpy.run_path(str(HERE / "generate.py"))
TOLD = generator["SCHEMES"]["masking"].LIES.keys() | generator["SCHEMES"]["masking"].ON_ARRIVAL.keys()


def test_the_files_are_what_the_second_writing_gives() -> None:
    made = generator["files"]("masking")
    assert {path.name for path in FILES} == set(made)
    stale = [path.name for path in FILES if path.read_text(encoding="utf-8") != made[path.name]]
    assert stale == [], "run `python tests/vectors/generate.py --write`"


@dataclass
class Play(Cast):
    """One script under way."""

    states: list[Contributed] = field(default_factory=list)
    arrivals: dict[Any, Arrival] = field(default_factory=dict)
    released: list[Released] = field(default_factory=list)
    openings: dict[Any, Opening] = field(default_factory=dict)
    totals: list[Any] = field(default_factory=list)
    binders: set[str] = field(default_factory=set)

    @property
    def common(self) -> bool:
        return bool(self.vector.get("common"))

    def contribution(self, k: int, *, number: int = 0, later: int = 0, salt: bytes = b"") -> Contributed:
        mask = self.seeds("mask_seed")[k]
        seed = Secret(hashlib.sha256(salt).digest()) if salt else mask
        role = self.role(k, number)
        return role.contribute(self.vector["exchange"] + later, role.attempt.transcript(), self.layout,
                               encode(self.layout, self.terms[k], mask), seed, common=self.common)

    def contribute(self) -> None:
        self.roles = [self.role(k) for k in range(len(self.keys))]
        self.states = [self.contribution(k) for k in range(len(self.keys))]

    def announce(self) -> None:
        self.arrivals = announce(self.states, self.names)

    def release(self) -> None:
        self.released = [role.release(state, self.arrivals[role.own])
                         for role, state in zip(self.roles, self.states, strict=True)]

    def relay(self) -> None:
        self.openings = relay(self.names, self.released)

    def open(self) -> None:
        opened = [role.open_on_arrival(state, self.arrivals[role.own]) if self.common else
                  role.open(self.released[k], self.openings[role.own])
                  for k, (role, state) in enumerate(zip(self.roles, self.states, strict=True))]
        self.binders = {one.binder.hex() for one in opened}
        self.totals = [one.total for one in opened]
        for total in self.totals:
            decode(self.layout, total, len(self.names))

    def resign(self, k: int, payload: bytes) -> Contributed:
        state = self.states[k]
        signature = self.keys[k].sign(CONTRIBUTION, sha256(state.sum.transcript.value, sha256(payload)))
        return replace(state, message=replace(state.message, payload=payload, signature=signature))

    def entries(self, k: int, **fields: Any) -> Arrival:
        arrival = self.arrivals[self.names[0]]
        entries = list(arrival.entries)
        entries[k] = replace(entries[k], **fields)
        return replace(arrival, entries=tuple(entries))

    def hear(self, arrival: Arrival) -> None:
        heard = self.roles[0].open_on_arrival if self.common else self.roles[0].release
        heard(self.states[0], arrival)

    def see(self, **sealed: bytes) -> None:
        """Open at member 0; keyword ``s1`` replaces what member 1 sealed to it."""
        honest = self.openings[self.names[0]]
        changed = {**honest.sealed, **{self.names[int(k[1:])]: share for k, share in sealed.items()}}
        total = self.roles[0].open(self.released[0], replace(honest, sealed=changed)).total
        decode(self.layout, total, len(self.names))

    def sealed_by_1(self, seed: bytes) -> bytes:
        state, digest = self.released[1].contributed, self.released[1].digest
        secret = self.shared(1, 0)
        key = derive(secret, "sealed share", state.sum.transcript.value, digest, self.names[1].encode(),
                     self.names[0].encode())
        return seal(key, seed, digest)


def substituted_agreement_key(play: Play) -> None:
    play.members[1] = replace(play.members[1], agreement_key=AgreementKey(Secret(b"c" * 32)).public_key)
    play.role(0)


def substituted_signing_key(play: Play) -> None:
    theirs = SigningKey(Secret(b"c" * 32))
    join = sign_join(theirs, play.vector["study_hash"], play.vector["run_id"], play.members[1].agreement_key)
    play.members[1] = replace(play.members[1], signing_key=theirs.public_key, signature=join.signature)
    play.role(0)


def own_key_replaced(play: Play) -> None:
    play.members[0] = play.member(0, AgreementKey(Secret(b"c" * 32)).public_key)
    play.role(0)


def low_order_key(play: Play) -> None:
    play.members[1] = play.member(1, bytes(32) + play.agreements[1].public_key[32:])
    play.role(0)


def unordered_members(play: Play) -> None:
    play.members[:2] = play.members[1::-1]
    play.role(0)


def wrong_transcript(play: Play) -> None:
    play.states[1] = play.contribution(1, number=1)
    play.announce()
    play.hear(play.arrivals[play.names[0]])


def wrong_exchange(play: Play) -> None:
    play.states[1] = play.contribution(1, later=1)
    play.announce()
    play.hear(play.arrivals[play.names[0]])


def wrong_description(play: Play) -> None:
    play.hear(play.entries(1, description_hash=bytes(32)))


def missing_entry(play: Play) -> None:
    arrival = play.arrivals[play.names[0]]
    play.hear(replace(arrival, entries=arrival.entries[:2]))


def doubled_entry(play: Play) -> None:
    arrival = play.arrivals[play.names[0]]
    play.hear(replace(arrival, entries=(*arrival.entries[:2], arrival.entries[1])))


def replaced_own_contribution(play: Play) -> None:
    play.hear(play.entries(0, payload_hash=sha256(play.contribution(0, salt=b"other").message.payload)))


def changed_payload_byte(play: Play) -> None:
    arrival = play.arrivals[play.names[0]]
    data = flipped(arrival.payloads[play.names[1]])
    play.hear(replace(arrival, payloads={**arrival.payloads, play.names[1]: data}))


def missing_payload(play: Play) -> None:
    arrival = play.arrivals[play.names[0]]
    play.hear(replace(arrival, payloads={play.names[2]: arrival.payloads[play.names[2]]}))


def changed_hash(play: Play) -> None:
    arrival = play.entries(1, payload_hash=sha256(b"mine"))
    play.hear(replace(arrival, payloads={**arrival.payloads, play.names[1]: b"mine"}))


def short_payload(play: Play) -> None:
    play.states[1] = play.resign(1, play.states[1].message.payload[:-12])
    play.announce()
    play.hear(play.arrivals[play.names[0]])


def swapped_share(play: Play) -> None:
    sealed = play.openings[play.names[0]].sealed
    play.see(s1=sealed[play.names[2]], s2=sealed[play.names[1]])


def changed_share(play: Play) -> None:
    play.see(s1=flipped(play.openings[play.names[0]].sealed[play.names[1]]))


def missing_share(play: Play) -> None:
    honest = play.openings[play.names[0]]
    play.roles[0].open(play.released[0], replace(honest, sealed={play.names[2]: honest.sealed[play.names[2]]}))


def share_for_another(play: Play) -> None:
    play.see(s1=play.released[1].message.sealed[play.names[2]])


def share_of_other_contributions(play: Play) -> None:
    play.see(s1=play.roles[1].seal(play.states[1], bytes(32), play.released[1].share).sealed[play.names[0]])


def short_seed(play: Play) -> None:
    play.see(s1=play.sealed_by_1(bytes(31)))


def wrong_seed(play: Play) -> None:
    play.see(s1=play.sealed_by_1(bytes(32)))


def with_aggregate(play: Play, change: Callable[[list[int]], object]) -> None:
    arrival = play.arrivals[play.names[0]]
    entries = unwired(arrival.aggregate, play.layout.width)
    change(entries)
    play.hear(replace(arrival, aggregate=wire(entries, play.layout.width)))


def left_out_payload(play: Play) -> None:
    aggregate = added_words([state.message.payload for state in play.states[:2]], play.layout.width)
    play.hear(replace(play.arrivals[play.names[0]], aggregate=aggregate))


def changed_entry(play: Play) -> None:
    with_aggregate(play, lambda entries: entries.__setitem__(0, entries[0] + 1))


def changed_tag(play: Play) -> None:
    with_aggregate(play, lambda entries: entries.__setitem__(-1, entries[-1] + 1))


def short_aggregate(play: Play) -> None:
    with_aggregate(play, list.pop)


LIES: dict[str, Callable[[Play], None]] = {
    name.replace("_", "-"): lie for name, lie in list(globals().items())
    if name.replace("_", "-") in TOLD
}


def test_every_lie_is_played() -> None:
    assert LIES.keys() == TOLD


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))
    play = Play(vector)
    expected = vector["expected"]
    verdict = "opens"
    try:
        for step in vector["steps"]:
            if step.startswith("lie: "):
                verdict = "deceived"
                LIES[step.removeprefix("lie: ")](play)
            else:
                getattr(play, step)()
                check(play, step, expected)
    except SealaneError as error:
        verdict = error.code
    assert verdict == vector["verdict"]


def check(play: Play, step: str, expected: dict[str, Any]) -> None:
    if step == "join":
        assert play.names == expected["fingerprints"]
        assert play.layout.width == expected["width"]
        assert play.layout.hash().hex() == expected["description_hash"]
        assert [p.fraction for p in play.layout.places] == [t["fraction"] for t in play.vector["terms"]]
    if step == "contribute":
        assert {state.sum.transcript.value.hex() for state in play.states} == {expected["transcript"]}
        hashes = [hashlib.sha256(state.message.payload).hexdigest() for state in play.states]
        assert hashes == expected["payload_sha256"]
    if step == "release":
        assert {state.digest.hex() for state in play.released} == {expected["digest"]}
    if step == "open":
        assert play.binders == {expected.get("binder", *play.binders)}
        for total in play.totals:
            found = [signed(value, play.layout.width) for value in integers(total, play.layout.width)]
            assert [str(value) for value in found] == expected["opened"]
