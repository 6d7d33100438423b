"""A cohort of bare roles: every node's part in a sum, without journal, gate, loop or coordinator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from reference import wire

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.ring.words import Words
from sealane.secagg.attempt import Attempt, sign_join
from sealane.secagg.layout import Layout, decode, encode, plan
from sealane.secagg.messages import Arrival, Entry, Member, Opening
from sealane.secagg.node_role import Contributed, NodeRole, Opened, Released
from sealane.secagg.terms import Term
from sealane.secagg.transcript import Transcript

STUDY = hashlib.sha256(b"a study").hexdigest()
RUN = "r-aaaaaaaaaaaaaaaa"


def seed_of(*words: object) -> Secret:
    return Secret(hashlib.sha256(repr(words).encode()).digest())


@dataclass
class Circle:
    """Members in order of fingerprint; lists run in that order."""

    size: int
    run_id: str = RUN
    number: int = 0
    study_hash: str = STUDY
    scheme: str = "masking"
    colluding: int = 1
    smallest: int = 3
    keys: list[SigningKey] = field(init=False)
    agreements: list[AgreementKey] = field(init=False)
    attempt: Attempt = field(init=False)
    roles: list[NodeRole] = field(init=False)

    def __post_init__(self) -> None:
        keys = sorted((SigningKey(seed_of("signing", k)) for k in range(self.size)), key=lambda key: key.fingerprint)
        self.keys = keys
        self.agreements = [AgreementKey(seed_of("agreement", self.run_id, k)) for k in range(self.size)]
        self.attempt = self.attempt_of(range(self.size), self.number)
        self.roles = [self.role(k) for k in range(self.size)]

    def member(self, k: int) -> Member:
        join = sign_join(self.keys[k], self.study_hash, self.run_id, self.agreements[k].public_key)
        return Member(self.keys[k].fingerprint, self.keys[k].public_key, join.agreement_key, join.signature)

    def attempt_of(self, who: Sequence[int] | range, number: int) -> Attempt:
        return Attempt(self.run_id, self.study_hash, number, self.scheme, tuple(self.member(k) for k in who),
                       self.colluding, self.smallest)

    def role(self, k: int, attempt: Attempt | None = None) -> NodeRole:
        return NodeRole(attempt or self.attempt, self.keys[k], self.agreements[k], self.introduced(k))

    def introduced(self, k: int) -> dict[Fingerprint, Secret]:
        """What member k and each other hold since they introduced themselves: by the rule of the vectors."""
        seeds = [seed_of("agreement", self.run_id, j).reveal() for j in range(self.size)]
        return {self.names[j]: Secret(hashlib.sha256(seeds[min(j, k)] + seeds[max(j, k)]).digest())
                for j in range(self.size) if j != k}

    def shared(self, k: int, j: int) -> Secret:
        """The secret of the pair of members k and j."""
        return self.agreements[k].shared(self.agreements[j].public_key, self.introduced(k)[self.names[j]])

    @property
    def names(self) -> list[Fingerprint]:
        return [key.fingerprint for key in self.keys]

    def contribute(
        self, layout: Layout, terms: Sequence[Mapping[str, Term]], *, exchange: int = 0,
        transcript: Transcript | None = None, salt: object = "",
    ) -> list[Contributed]:
        return [
            role.contribute(exchange, transcript or self.attempt.transcript(), layout,
                            encode(layout, own, seed_of("rounding", k)), seed_of("mask", k, salt))
            for k, (role, own) in enumerate(zip(self.roles, terms, strict=True))
        ]

    def release(self, states: Sequence[Contributed]) -> list[Released]:
        arrivals = announce(states)
        return [role.release(state, arrivals[role.own]) for role, state in zip(self.roles, states, strict=True)]

    def open(self, released: Sequence[Released]) -> list[Opened]:
        openings = relay(self.names, released)
        return [role.open(state, openings[role.own]) for role, state in zip(self.roles, released, strict=True)]

    def sum(self, terms: Sequence[Mapping[str, Term]]) -> list[dict[str, np.ndarray]]:
        """Run one whole sum and return what every member read."""
        layout = plan(terms[0], self.size)
        return [decode(layout, opened.total, self.size)
                for opened in self.open(self.release(self.contribute(layout, terms)))]


def entry(state: Contributed, of: Fingerprint) -> Entry:
    message = state.message
    parts = b"".join(len(part).to_bytes(8, "big") + part for f, sealed in sorted(message.shares.items())
                     for part in (f.encode(), sealed))
    shares_hash = hashlib.sha256((17).to_bytes(8, "big") + b"sealane shares v1" + parts).digest()
    return Entry(of, b"" if message.tagged else sha256(message.payload), message.description_hash, message.signature,
                 shares_hash if message.shares else b"")


def announce(
    states: Sequence[Contributed], names: Sequence[Fingerprint] | None = None,
    everybody: Sequence[Fingerprint] | None = None,
) -> dict[Fingerprint, Arrival]:
    """What an honest coordinator tells each member, written without its code; under ``rlwe`` for whole payloads only.

    ``names`` are the survivors'; ``everybody`` hears it.
    """
    who = list(names) if names is not None else names_of(states)
    first = states[0].message
    entries = tuple(entry(state, name) for name, state in zip(who, states, strict=True))
    adds = added_words if first.tagged else added
    aggregate = b"" if first.relay_whole else adds([state.message.payload for state in states], first.word_bits)
    return {
        name: Arrival(first.run_id, first.attempt, first.exchange, entries,
                      {n: s.message.payload for n, s in zip(who, states, strict=True) if n != name}
                      if first.relay_whole else {}, aggregate,
                      {n: s.message.shares[name] for n, s in zip(who, states, strict=True) if name in s.message.shares})
        for name in everybody or who
    }


def added(payloads: Sequence[bytes], bits: int) -> bytes:
    """Add packed payloads of at most 2^15 words, as whole integers of Python: see ``masking/wire.py``."""
    total = [sum(column) % 2**bits for column in zip(*(unplaned(payload, bits) for payload in payloads), strict=True)]
    return planed(total, bits)


def added_words(payloads: Sequence[bytes], width: int) -> bytes:
    """Add statistics as they lie on the wire, as integers of Python."""
    vectors = [unwired(payload, width) for payload in payloads]
    return wire([sum(column) % 2**width for column in zip(*vectors, strict=True)], width)


def unwired(payload: bytes, width: int) -> list[int]:
    entries, high = len(payload) * 8 // width, (width - 64) // 8
    return [int.from_bytes(payload[8 * k : 8 * k + 8], "little")
            + (int.from_bytes(payload[8 * entries + high * k : 8 * entries + high * (k + 1)], "little") << 64)
            for k in range(entries)]


def planes(bits: int) -> list[int]:
    return [32, *(plane for plane in (32, 16, 8, 4, 2, 1) if bits - 32 & plane)]


def planed(words: Sequence[int], bits: int) -> bytes:
    out, low, n = b"", 0, len(words)
    for plane in planes(bits):
        pieces = [word >> low & 2**plane - 1 for word in words]
        if plane >= 8:
            out += b"".join(piece.to_bytes(plane // 8, "little") for piece in pieces)
        else:
            size = -(-n * plane // 8)
            out += bytes(sum(pieces[g + part * size] << part * plane for part in range(8 // plane)
                             if g + part * size < n) for g in range(size))
        low += plane
    return out


def unplaned(payload: bytes, bits: int) -> list[int]:
    n = next(n for n in range(len(payload)) if len(planed([0] * n, bits)) == len(payload))
    words, low, at = [0] * n, 0, 0
    for plane in planes(bits):
        size = -(-n * plane // 8)
        part = payload[at : at + size]
        for k in range(n):
            piece = (int.from_bytes(part[k * plane // 8 : (k + 1) * plane // 8], "little") if plane >= 8
                     else part[k % size] >> (k // size) * plane & 2**plane - 1)
            words[k] |= piece << low
        low, at = low + plane, at + size
    return words


def names_of(states: Sequence[Contributed]) -> list[Fingerprint]:
    return sorted(SigningKey(seed_of("signing", k)).fingerprint for k in range(len(states)))


def relay(names: Sequence[Fingerprint], released: Sequence[Released]) -> dict[Fingerprint, Opening]:
    first = released[0].message
    return {
        name: Opening(first.run_id, first.attempt, first.exchange,
                      {n: r.message.sealed[name] for n, r in zip(names, released, strict=True) if n != name})
        for name in names
    }


def with_payload(state: Contributed, payload: bytes) -> Contributed:
    return replace(state, message=replace(state.message, payload=payload))


def integers(vector: Words, width: int) -> list[int]:
    """Read a vector as Python integers in [0, 2^width)."""
    high = vector[1].tolist() if width > 64 else [0] * vector.shape[1]
    return [low + (top << 64) for low, top in zip(vector[0].tolist(), high, strict=True)]
