"""A node's part in a sum and in an agreement: pure steps from state and message to state and message.

    Contributed --arrival--> Released --opening--> Opened

Whoever calls these steps puts each returned state on disk before it sends the message that goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import OVERHEAD_BYTES, seal, unseal
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError
from sealane.ring.words import Words, add, from_bytes, to_bytes
from sealane.secagg.attempt import CONTRIBUTION, PROPOSAL, Attempt
from sealane.secagg.layout import Layout
from sealane.secagg.messages import Arrival, Contribution, Opening, Proposal, Release
from sealane.secagg.scheme import Pairs, get_scheme
from sealane.secagg.transcript import Transcript

RELATIVE_TOLERANCE = 1e-9
"""How far a proposed value may lie from this node's own, element by element."""
SCALE_TOLERANCE = 1e-12
"""The same, relative to the largest element: what is left where an element cancels to nearly nothing."""


@dataclass(frozen=True, slots=True)
class Contributed:
    """This node has sent its protected vector and waits to hear who else did."""

    exchange: int
    transcript: Transcript
    layout: Layout
    seed: Secret
    message: Contribution


@dataclass(frozen=True, slots=True)
class Released:
    """This node has agreed to open, for one announced set of contributions and no other."""

    contributed: Contributed
    digest: bytes
    total: Words = field(repr=False)
    message: Release


@dataclass(frozen=True, slots=True)
class Opened:
    """The sum is open, and the transcript commits to it.

    Attributes:
        total: the sum.
        binder: 32 bytes that only the nodes can know, made of all shares. The transcript absorbs it too: otherwise
            whoever sees signatures over the transcript could test guesses of the total.
        transcript: after the sum.
    """

    total: Words = field(repr=False)
    binder: bytes = field(repr=False)
    transcript: Transcript = field(repr=False)


class NodeRole:
    """One node in one attempt.

    Raises:
        ProtocolError: on construction, if a member's key does not verify or this node is not a member.
    """

    def __init__(self, attempt: Attempt, key: SigningKey, agreement: AgreementKey) -> None:
        attempt.verify_members()
        own = attempt.member(key.fingerprint)
        if own.agreement_key != agreement.public_key:
            raise ProtocolError("run.key-substituted", "this node's own agreement key was replaced")
        self.attempt = attempt
        self._key = key
        self._scheme = get_scheme(attempt.scheme)
        self._pairs = Pairs(
            key.fingerprint,
            {m.fingerprint: agreement.shared(m.agreement_key) for m in attempt.members if m is not own},
        )

    @property
    def own(self) -> Fingerprint:
        """This node's fingerprint."""
        return self._pairs.own

    def contribute(
        self, exchange: int, transcript: Transcript, layout: Layout, vector: Words, seed: Secret
    ) -> Contributed:
        """Protect a vector under a fresh seed and sign it."""
        bound = self.sum_transcript(exchange, transcript, layout)
        payload = to_bytes(self._scheme.protect(self._pairs, bound, vector, layout.width, seed), layout.width)
        return self.restore(exchange, transcript, layout, seed, payload)

    def restore(
        self, exchange: int, transcript: Transcript, layout: Layout, seed: Secret, payload: bytes
    ) -> Contributed:
        """Rebuild the state of a contribution from what was kept of it: the same bytes, the same signature."""
        bound = self.sum_transcript(exchange, transcript, layout)
        signature = self._key.sign(CONTRIBUTION, _contribution_body(bound, sha256(payload)))
        message = Contribution(self.attempt.run_id, self.attempt.number, exchange, layout.hash(), signature, payload,
                               layout.verified)
        return Contributed(exchange, bound, layout, seed, message)

    def release(self, state: Contributed, arrival: Arrival) -> Released:
        """Check an announcement; if it is the whole cohort's, release this node's share, sealed to each peer.

        Raises:
            ProtocolError: the announcement is not the whole cohort's, holds another contribution of this node than
                the one it sent, or one that its sender did not sign over this transcript.
        """
        announced = {entry.fingerprint: entry for entry in arrival.entries}
        if len(announced) != len(arrival.entries) or announced.keys() != self.attempt.cohort:
            raise ProtocolError("run.arrival-incomplete", "announced contributions are not the whole cohort's",
                                got=f"{len(arrival.entries)} entries", expected=f"{self.attempt.size} members")
        if announced[self.own].payload_hash != sha256(state.message.payload):
            raise ProtocolError("run.contribution-replaced", "this node's own contribution was replaced")
        for member in self.attempt.members:
            entry = announced[member.fingerprint]
            if entry.description_hash != state.message.description_hash:
                raise ProtocolError("run.descriptions-differ", "a node describes this sum differently",
                                    got=f"node {member.fingerprint}", hint="compare versions with `sealane doctor`")
            if member.fingerprint == self.own and entry.signature == state.message.signature:
                continue
            verify(member.signing_key, CONTRIBUTION, _contribution_body(state.transcript, entry.payload_hash),
                   entry.signature)
        digest = sha256(state.transcript.value,
                        *(part for m in self.attempt.members
                          for part in (m.fingerprint.encode(), announced[m.fingerprint].payload_hash)))
        total = self._add_up(state, arrival, {f: e.payload_hash for f, e in announced.items()})
        message = self.release_message(state, digest)
        return Released(state, digest, total, message)

    def release_message(self, state: Contributed, digest: bytes) -> Release:
        """Seal this node's share to each peer, for the contributions that ``digest`` names: always the same bytes."""
        share = self._scheme.share(state.seed)
        sealed = {peer: seal(self._sealing_key(secret, state.transcript, digest, self.own, peer), share, digest)
                  for peer, secret in self._pairs.secrets.items()}
        return Release(self.attempt.run_id, self.attempt.number, state.exchange, sealed)

    def open(self, state: Released, opening: Opening) -> Opened:
        """Open the sum with the shares that the peers sealed to this node.

        Raises:
            ProtocolError: a share is missing, or was sealed for other contributions or another transcript.
        """
        if opening.sealed.keys() != self._pairs.secrets.keys():
            raise ProtocolError("run.opening-incomplete", "not every peer's share is there",
                                got=f"{len(opening.sealed)} shares", expected=f"{len(self._pairs.secrets)} shares")
        transcript = state.contributed.transcript
        shares = {self.own: state.contributed.seed}
        for peer, secret in self._pairs.secrets.items():
            key = self._sealing_key(secret, transcript, state.digest, peer, self.own)
            shares[peer] = Secret(unseal(key, opening.sealed[peer], state.digest))
        layout = state.contributed.layout
        total = self._scheme.open(state.total, layout.width, transcript, shares)
        binder = sha256(b"sealane binder v1", *(shares[m.fingerprint].reveal() for m in self.attempt.members))
        return Opened(total, binder, after_sum(transcript, state.digest, to_bytes(total, layout.width), binder))

    def propose(self, exchange: int, transcript: Transcript, value: bytes) -> Proposal:
        """Seal the bytes of a value to each peer, for them to adopt; the coordinator, which passes it on, reads none.

        A key seals one value only: the caller has ``value`` on disk, and proposes no other for this exchange.
        """
        sealed = b"".join(
            seal(self._proposal_key(peer, exchange, transcript, self.own, peer), value, transcript.value)
            for peer in self._pairs.secrets  # in order of fingerprint
        )
        signature = self._key.sign(PROPOSAL, _proposal_body(exchange, transcript, sealed))
        return Proposal(self.attempt.run_id, self.attempt.number, exchange, sealed, signature)

    def adopt(
        self, exchange: int, transcript: Transcript, own: NDArray[np.float64], proposal: Proposal
    ) -> NDArray[np.float64]:
        """Check another node's proposal against this node's own value and return the proposed one.

        Raises:
            ProtocolError: not signed and sealed by the first member over this transcript, or too far from this node's
                value.
        """
        first, *others = self.attempt.members
        verify(first.signing_key, PROPOSAL, _proposal_body(exchange, transcript, proposal.value), proposal.signature)
        length = 8 * own.size + OVERHEAD_BYTES
        if len(proposal.value) != length * len(others):
            raise ProtocolError("run.proposal-malformed", "proposed value has the wrong length",
                                got=f"{len(proposal.value)} bytes", expected=f"{length * len(others)} bytes")
        place = [member.fingerprint for member in others].index(self.own) * length
        key = self._proposal_key(first.fingerprint, exchange, transcript, first.fingerprint, self.own)
        data = unseal(key, proposal.value[place : place + length], transcript.value)
        value = np.frombuffer(data, "<f8").reshape(own.shape)
        scale = float(np.abs(own).max(initial=0.0))
        slack = RELATIVE_TOLERANCE * np.abs(own) + SCALE_TOLERANCE * scale
        off = int((~(np.abs(value - own) <= slack)).sum())
        if off:
            raise ProtocolError("run.proposal-differs", "proposed value is not what this node derived",
                                got=f"{off} of {own.size} entries differ", expected="within 1e-9 relative",
                                hint="a node lies, or runs another version: see `sealane doctor`")
        return value.astype(np.float64)

    def sum_transcript(self, exchange: int, transcript: Transcript, layout: Layout) -> Transcript:
        """Return the transcript that a sum's masks and signatures are bound to."""
        return transcript.absorb("sum", str(exchange).encode(), layout.hash())

    def _add_up(self, state: Contributed, arrival: Arrival, hashes: Mapping[Fingerprint, bytes]) -> Words:
        layout = state.layout
        if not layout.verified:
            return from_bytes(arrival.aggregate, layout.width, layout.length)
        total = from_bytes(state.message.payload, layout.width, layout.length)
        for peer in self._pairs.secrets:
            payload = arrival.payloads.get(peer, b"")
            if sha256(payload) != hashes[peer]:
                raise ProtocolError("run.payload-differs", "a relayed contribution is not the one that was signed",
                                    got=f"node {peer}")
            add(total, from_bytes(payload, layout.width, layout.length), layout.width)
        return total

    def _sealing_key(
        self, secret: Secret, transcript: Transcript, digest: bytes, sender: Fingerprint, receiver: Fingerprint
    ) -> Secret:
        return derive(secret, "sealed share", transcript.value, digest, sender.encode(), receiver.encode())

    def _proposal_key(
        self, peer: Fingerprint, exchange: int, transcript: Transcript, sender: Fingerprint, receiver: Fingerprint
    ) -> Secret:
        return derive(self._pairs.secrets[peer], "sealed proposal", transcript.value, str(exchange).encode(),
                      sender.encode(), receiver.encode())


def after_sum(transcript: Transcript, digest: bytes, total: bytes, binder: bytes) -> Transcript:
    """Return the transcript after a sum was opened: it commits to the contributions, to the total and to the binder."""
    return transcript.absorb("opened", digest, sha256(total), binder)


def after_agreement(exchange: int, transcript: Transcript, value: bytes) -> Transcript:
    """Return the transcript after a value was adopted."""
    return transcript.absorb("agreed", str(exchange).encode(), value)


def _contribution_body(transcript: Transcript, payload_hash: bytes) -> bytes:
    return sha256(transcript.value, payload_hash)


def _proposal_body(exchange: int, transcript: Transcript, sealed: bytes) -> bytes:
    return sha256(transcript.value, str(exchange).encode(), sealed)
