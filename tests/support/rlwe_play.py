"""The script of a vector under ``rlwe``, played by Sealane's nodes and coordinator, with places to lie at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from circle import entry
from vector_cast import Cast

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import seal
from sealane.ring.base import ArrayValues
from sealane.ring.packing import pack
from sealane.ring.primes import Ring
from sealane.ring.select import choose
from sealane.secagg.attempt import CONTRIBUTION
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    SumState,
    accept_contribution,
    accept_release,
    announce_survivors,
    announced_of,
    announcement,
    opening,
)
from sealane.secagg.layout import Vector, decode, encode
from sealane.secagg.messages import Arrival, Contribution, Entry, Opening, shares_hash
from sealane.secagg.node_role import Contributed, Opened, Released
from sealane.secagg.pair_masks import apply_masks, pair_masks
from sealane.secagg.rlwe.digits import digits
from sealane.secagg.rlwe.parameters import PRIMES, Parameters, parameters
from sealane.secagg.transcript import Transcript


@dataclass
class Play(Cast):
    """One script under way.

    Attributes:
        before: the script that went before it in the same attempt, played to its end.
        heard: what the coordinator hears in time, in order.
        coordinator: what it holds once the survivors are announced.
    """

    before: Play | None = None
    states: list[Contributed] = field(default_factory=list)
    heard: list[tuple[Fingerprint, Contribution]] = field(default_factory=list)
    coordinator: SumState | None = None
    arrivals: dict[Fingerprint, Arrival] = field(default_factory=dict)
    released: list[Released] = field(default_factory=list)
    openings: dict[Fingerprint, Opening] = field(default_factory=dict)
    opened: list[Opened] = field(default_factory=list)

    @property
    def survivors(self) -> Sequence[int]:
        return self.vector["survivors"]

    def transcript(self, later: int = 0) -> Transcript:
        return self.before.opened[0].transcript if self.before else self.attempt(later).transcript()

    def contribution(self, k: int, vector: Vector | None = None) -> Contributed:
        """What member k contributes: its terms, or another vector."""
        values = encode(self.layout, self.terms[k], self.seeds("rounding_seed")[k]) if vector is None else vector
        return self.roles[k].contribute(self.vector["exchange"], self.transcript(), self.layout, values,
                                        self.seeds("sum_seed")[k])

    def contribute(self) -> None:
        self.roles = [self.role(k) for k in range(len(self.keys))]
        self.states = [self.contribution(k) for k in range(len(self.keys))]
        self.heard = [(self.names[k], self.states[k].message) for k in self.survivors]

    def announce(self) -> None:
        state: SumState = Gathering(self.attempt())
        for name, message in self.heard:
            state = accept_contribution(state, name, message)
        state = announce_survivors(state) if isinstance(state, Gathering) else state
        for k in set(range(len(self.keys))) - set(self.survivors):  # those who come too late change nothing
            assert accept_contribution(state, self.names[k], self.states[k].message) is state
        assert isinstance(state, Announced)
        self.coordinator = state
        self.arrivals = {name: announcement(state, name) for name in self.names}

    def release(self) -> None:
        self.released = [role.release(state, self.arrivals[role.own])
                         for role, state in zip(self.roles, self.states, strict=True)]

    def relay(self) -> None:
        state = self.coordinator
        assert isinstance(state, Announced)
        for k in self.vector["repliers"]:
            message = self.released[k].message
            assert message is not None
            state = accept_release(state, self.names[k], message)
        told = announced_of(state)
        assert told.enough
        self.openings = {name: opening(told, name) for name in self.names}

    def open(self) -> None:
        self.opened = []
        for role, state in zip(self.roles, self.released, strict=True):
            self.opened.append(role.open(state, self.openings[role.own]))
            decode(self.layout, self.opened[-1].total, len(self.survivors))

    # What a member does that lies; the same state with other bytes, and a signature over them.

    def send(self, k: int, state: Contributed) -> None:
        """Member k contributes something else."""
        self.states[k] = replace(state, entry=entry(state, self.names[k]))  # a liar knows what it sent
        self.heard = [(name, state.message if name == self.names[k] else message) for name, message in self.heard]

    def with_payload(self, k: int, payload: bytes) -> Contributed:
        """Member k's contribution around another payload, sealed and signed as it should be."""
        state = self.states[k]
        return self.roles[k].restore(self.vector["exchange"], self.transcript(), self.layout, state.seed, payload)

    def with_key_shares(self, k: int, shares: Mapping[int, bytes]) -> Contributed:
        """Member k's contribution with other key shares for some, sealed and signed as they should be."""
        state = self.states[k]
        bound = sha256(state.message.payload)
        sealed = {**state.message.shares, **{self.names[j]: self.sealed("key share", bound, k, j, share)
                                             for j, share in shares.items()}}
        body = sha256(state.sum.transcript.value, bound, shares_hash(sealed))
        return replace(state, message=replace(state.message, shares=sealed,
                                              signature=self.keys[k].sign(CONTRIBUTION, body)))

    def pass_on(self, k: int, state: Contributed) -> None:
        """Tell member 0 that member k contributed something else."""
        arrival, message = self.arrivals[self.names[0]], state.message
        entry = Entry(self.names[k], sha256(message.payload), message.description_hash, message.signature,
                      shares_hash(message.shares))
        self.arrivals[self.names[0]] = replace(
            arrival, entries=(*arrival.entries[:k], entry, *arrival.entries[k + 1 :]),
            payloads={**arrival.payloads, self.names[k]: message.payload},
            shares={**arrival.shares, self.names[k]: message.shares[self.names[0]]})

    def say(self, k: int, sealed: bytes) -> None:
        """Member k releases other bytes to member 0."""
        message = self.released[k].message
        assert message is not None
        lie = replace(message, sealed={**message.sealed, self.names[0]: sealed})
        self.released[k] = replace(self.released[k], message=lie)

    def sealed(self, label: str, bound: bytes, sender: int, receiver: int, share: bytes) -> bytes:
        key = derive(self.shared(sender, receiver), label,
                     self.states[sender].sum.transcript.value, bound, self.names[sender].encode(),
                     self.names[receiver].encode())
        return seal(key, share, bound)

    def sum_share(self, k: int, share: bytes) -> bytes:
        """A share, as member k seals it to member 0."""
        return self.sealed("sealed share", self.released[k].digest, k, 0, share)

    def key_shares(self, k: int) -> list[bytes]:
        shares = self.roles[k].scheme.key_shares(self.states[k].sum, self.states[k].seed)
        return [shares[name] for name in self.names]

    def parameters(self) -> Parameters:
        size = len(self.keys)
        return parameters(size, self.colluding, self.layout.most or size * 0xFFFF, self.smallest)

    def ciphertext(self, k: int, *, polynomial_of: int = 0, key_of: int = 0, bits: int = 30) -> bytes:
        """Member k's ciphertext with the public polynomial or the key of a later attempt, or over other primes."""
        found, backend, seed = self.parameters(), choose("cpu").backend, self.seeds("sum_seed")[k]
        packing = pack(Ring(found.ring.degree, bits, PRIMES[bits]), found.packing.base, found.packing.noise)

        def bound_to(later: int) -> bytes:
            sum_ = self.role(k, later).sum(self.vector["exchange"], self.transcript(later), self.layout)
            return sum_.transcript.value

        vector = encode(self.layout, self.terms[k], self.seeds("rounding_seed")[k])
        if isinstance(vector, np.ndarray):
            role = self.role(k, 0)
            honest = role.sum(self.vector["exchange"], self.transcript(0), self.layout)
            apply_masks(vector, self.layout.width, pair_masks(honest, role._pairs))
        values = ArrayValues(digits(vector, self.layout.width)) if isinstance(vector, np.ndarray) else vector
        return backend.encrypt(
            packing, values, error_seed=derive(seed, "rlwe errors", bound_to(0)),
            key=backend.secret_key(found.ring, derive(seed, "rlwe key", bound_to(key_of))),
            public_seed=sha256(b"sealane rlwe public polynomial v1", bound_to(polynomial_of), found.digest))

