"""A node's part in a sum and in an agreement: pure steps from state and message to state and message.

    Contributed --arrival--> Released --opening--> Opened
    Contributed --arrival--> Opened          where all members know the seed of all contributions already

A node without a share of the opening (in large cohorts a committee holds them) is Released without a message.

Whoever calls these steps puts each returned state on disk before it sends the message that goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.octets import Buffer, Octets
from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.derivation import derive
from sealane.crypto.sealing import OVERHEAD_BYTES, seal, unseal
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError
from sealane.secagg.attempt import CONTRIBUTION, PROPOSAL, Attempt
from sealane.secagg.layout import Layout, Vector, write_vector
from sealane.secagg.letters import read_letters, write_letters
from sealane.secagg.messages import (
    Arrival,
    Contribution,
    Delivery,
    Entry,
    Letters,
    Opening,
    Proposal,
    Release,
    shares_hash,
)
from sealane.secagg.scheme import Pairs, Sum, Total, form_of, get_scheme
from sealane.secagg.tags import PRIME, tagged, untagged
from sealane.secagg.transcript import Transcript

RELATIVE_TOLERANCE = 1e-9
"""How far a proposed value may lie from this node's own, element by element."""
SCALE_TOLERANCE = 1e-12
"""The same, relative to the largest element: what is left where an element cancels to nearly nothing."""


@dataclass(frozen=True, slots=True)
class Contributed:
    """This node has sent its protected vector and waits to hear who else did.

    Attributes:
        entry: what an honest announcement says of it.
        key_share: this node's own share of its contribution's key; empty where it holds none.
    """

    exchange: int
    sum: Sum
    seed: Secret
    message: Contribution
    entry: Entry
    key_share: Secret


@dataclass(frozen=True, slots=True)
class Released:
    """This node has agreed to open, for one announced set of contributions and no other.

    Attributes:
        share: its own share of the opening; empty where it holds none.
    """

    contributed: Contributed
    survivors: frozenset[Fingerprint]
    digest: bytes
    share: Secret
    total: Total = field(repr=False)
    message: Release | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The sum is open, and the transcript commits to it.

    Attributes:
        total: the sum of the survivors' vectors.
        written: the same, as bytes: of an update a view, which shows what the total's memory holds.
        binder: 32 bytes that only the nodes can know. The transcript absorbs it too: otherwise whoever sees
            signatures over the transcript could test guesses of the total.
        digest: of the contributions that it is of.
        transcript: after the sum.
    """

    total: Vector = field(repr=False)
    written: Buffer = field(repr=False)
    binder: bytes = field(repr=False)
    digest: bytes
    transcript: Transcript = field(repr=False)


class NodeRole:
    """One node in one attempt.

    Args:
        attempt: who takes part in what.
        key: this node's signing key.
        agreement: its key of this run.
        introduced: what each peer and this node hold since they introduced themselves.
        backend: where arithmetic runs.

    Raises:
        ProtocolError: on construction, if a member's key does not verify or this node is not a member.
        RefusedError: the scheme is not sound for such a cohort.
    """

    def __init__(
        self, attempt: Attempt, key: SigningKey, agreement: AgreementKey, introduced: Mapping[Fingerprint, Secret], *,
        backend: str = "cpu",
    ) -> None:
        attempt.verify_own(key.fingerprint, agreement.public_key)
        self.attempt = attempt
        self._key = key
        self.scheme = get_scheme(attempt.scheme, backend)
        self._openers = self.scheme.openers(attempt)
        self._replies = self.scheme.replies(attempt)
        self._pairs = Pairs(
            key.fingerprint,
            {m.fingerprint: agreement.shared(m.agreement_key, introduced[m.fingerprint])
             for m in attempt.members if m.fingerprint != key.fingerprint},
        )

    @property
    def own(self) -> Fingerprint:
        """This node's fingerprint."""
        return self._pairs.own

    def contribute(
        self, exchange: int, transcript: Transcript, layout: Layout, vector: Vector, seed: Secret, *,
        common: bool = False,
    ) -> Contributed:
        """Protect a vector and sign it.

        Args:
            exchange: number of the exchange.
            transcript: of everything before it.
            layout: how the vector is laid out.
            vector: this node's own.
            seed: fresh, or ``common`` to all members and known to nobody else: then the sum opens on arrival.
        """
        sum_ = self.sum(exchange, transcript, layout)
        if common and layout.verified:
            assert isinstance(vector, np.ndarray)
            vector = tagged(vector, layout.width, self.attempt.size, _tag_key(sum_, seed), self._tag_blind(sum_))
        payload = self.scheme.protect(sum_, self._pairs, vector, seed, common=common)
        return self.restore(exchange, transcript, layout, seed, payload, common=common)

    def restore(
        self, exchange: int, transcript: Transcript, layout: Layout, seed: Secret, payload: Octets, *,
        common: bool = False,
    ) -> Contributed:
        """Rebuild the state of a contribution from what was kept of it: the same bytes, the same signature."""
        sum_ = self.sum(exchange, transcript, layout)
        by_tag = layout.verified and common
        payload_hash = b"" if by_tag else sha256(payload)
        plain = dict(self.scheme.key_shares(sum_, seed))
        own_share = Secret(plain.pop(self.own, b""))
        shares = {
            opener: seal(self._key_for(opener, "key share", sum_, payload_hash, self.own, opener), share, payload_hash)
            for opener, share in plain.items()
        }
        over_shares = shares_hash(shares)
        signature = b"" if by_tag else self._key.sign(
            CONTRIBUTION, _contribution_body(sum_.transcript, payload_hash, over_shares))
        message = Contribution(self.attempt.run_id, self.attempt.number, exchange, layout.hash(), signature, payload,
                               self.scheme.word_bits(sum_), layout.verified and not common, shares, common, by_tag)
        entry = Entry(self.own, payload_hash, layout.hash(), signature, over_shares)
        return Contributed(exchange, sum_, seed, message, entry, own_share)

    def release(self, state: Contributed, arrival: Arrival) -> Released:
        """Check an announcement, and release this node's share of the opening, sealed to each peer.

        Raises:
            ProtocolError: too few arrived, or the announcement holds another contribution of this node than the one it
                sent, or one that its sender did not sign over this transcript.
        """
        announced, digest, total = self._announced(state, arrival)
        share = b""
        if self.own in self._openers:
            share = self.scheme.share(state.sum, state.seed, self._held(state, arrival, announced))
        return Released(state, frozenset(announced), digest, Secret(share), total,
                        self.seal(state, digest, Secret(share)))

    def open_on_arrival(self, state: Contributed, arrival: Arrival) -> Opened:
        """Check an announcement, and open the sum of contributions whose seed all members know.

        Raises:
            ProtocolError: as for :meth:`release`, or the total is not that of the members' contributions.
        """
        announced, digest, total = self._announced(state, arrival)
        shares = {self.attempt.first: self.scheme.share(state.sum, state.seed, {})}
        return self._open(state.sum, total, frozenset(announced), digest, shares,
                          _tag_key(state.sum, state.seed) if state.message.tagged else None)

    def _announced(self, state: Contributed, arrival: Arrival) -> tuple[dict[Fingerprint, Entry], bytes, Total]:
        """Check an announcement: return the survivors' entries, the digest over them and their total, still closed."""
        announced = {entry.fingerprint: entry for entry in arrival.entries}
        survivors = frozenset(announced)
        whole = self.scheme.whole_cohort or state.sum.layout.whole
        fewest = self.attempt.size if whole else self.attempt.smallest
        if len(announced) != len(arrival.entries) or not survivors <= self.attempt.cohort or len(survivors) < fewest:
            raise ProtocolError("run.arrival-incomplete", "announced contributions are not those of enough members",
                                got=f"{len(arrival.entries)} entries",
                                expected=f"at least {fewest} of {self.attempt.size} members")
        self._check_entries(state, announced)
        digest = sha256(state.sum.transcript.value, *(part for f in sorted(survivors) for part in (
            f.encode(), announced[f].payload_hash)))
        return announced, digest, self._add_up(state, arrival, announced)

    def seal(self, state: Contributed, digest: bytes, share: Secret) -> Release | None:
        """Seal this node's share to each peer, for the contributions that ``digest`` names: always the same bytes."""
        if self.own not in self._openers:
            return None
        sealed = {peer: seal(self._key_for(peer, "sealed share", state.sum, digest, self.own, peer), share.reveal(),
                             digest)
                  for peer in self._pairs.secrets}
        return Release(self.attempt.run_id, self.attempt.number, state.exchange, sealed)

    def open(self, state: Released, opening: Opening) -> Opened:
        """Open the sum with the shares that the peers sealed to this node.

        Raises:
            ProtocolError: too few shares, or one was sealed for other contributions or another transcript.
        """
        sum_ = state.contributed.sum
        shares = {self.own: state.share.reveal()} if state.message is not None else {}
        theirs = set(self._openers) - {self.own}
        if not opening.sealed.keys() <= theirs or len(shares) + len(opening.sealed) < self._replies:
            raise ProtocolError("run.opening-incomplete", "shares are not those of enough peers",
                                got=f"{len(opening.sealed)} shares",
                                expected=f"{self._replies - len(shares)} to {len(theirs)} shares")
        for opener, sealed in opening.sealed.items():
            key = self._key_for(opener, "sealed share", sum_, state.digest, opener, self.own)
            shares[opener] = unseal(key, sealed, state.digest)
        return self._open(sum_, state.total, state.survivors, state.digest, shares)

    def _open(self, sum_: Sum, total: Total, survivors: frozenset[Fingerprint], digest: bytes,
              shares: Mapping[Fingerprint, bytes], tag_key: Secret | None = None) -> Opened:
        vector, common = self.scheme.open(sum_, total, survivors, shares)
        if tag_key is not None:
            assert isinstance(vector, np.ndarray)
            vector = untagged(vector, sum_.layout.width, self.attempt.size, tag_key)
        binder = sha256(b"sealane binder v1", *common)
        written = write_vector(sum_.layout, vector)
        return Opened(vector, written, binder, digest, after_sum(sum_.transcript, digest, written, binder))

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

    def write(
        self, exchange: int, transcript: Transcript, letters: Mapping[Fingerprint, bytes], nonce: bytes
    ) -> Letters:
        """Seal letters to single peers; see :func:`sealane.secagg.letters.write_letters`."""
        return write_letters(self.attempt, self._key, self._pairs.secrets, exchange, transcript, letters, nonce)

    def read(
        self, written: Letters, transcript: Transcript, nonce: bytes, delivery: Delivery
    ) -> tuple[dict[Fingerprint, bytes], Transcript]:
        """Check and open a delivery; see :func:`sealane.secagg.letters.read_letters`."""
        return read_letters(self.attempt, written, self.own, self._pairs.secrets, transcript, nonce, delivery)

    def sum(self, exchange: int, transcript: Transcript, layout: Layout) -> Sum:
        """Return a sum, with the transcript that its masks, keys and signatures are bound to."""
        return Sum(self.attempt, layout, transcript.absorb("sum", str(exchange).encode(), layout.hash()))

    def _check_entries(self, state: Contributed, announced: Mapping[Fingerprint, Entry]) -> None:
        for survivor, entry in announced.items():
            if entry.description_hash != state.entry.description_hash:
                raise ProtocolError("run.descriptions-differ", "a node describes this sum differently",
                                    got=f"node {survivor}", hint="compare versions with `sealane doctor`")
        if announced.get(self.own, state.entry) != state.entry:
            raise ProtocolError("run.contribution-replaced", "this node's own contribution was replaced")
        for survivor, entry in announced.items():
            if survivor != self.own and not state.message.tagged:
                body = _contribution_body(state.sum.transcript, entry.payload_hash, entry.shares_hash)
                verify(self.attempt.member(survivor).signing_key, CONTRIBUTION, body, entry.signature)

    def _add_up(self, state: Contributed, arrival: Arrival, announced: Mapping[Fingerprint, Entry]) -> Total:
        own = state.message
        total = self.scheme.total(self.attempt, form_of(own))
        if not own.relay_whole:
            total.add(arrival.aggregate)
        for survivor, entry in announced.items() if own.relay_whole else ():
            payload = own.payload if survivor == self.own else arrival.payloads.get(survivor, b"")
            if survivor != self.own and sha256(payload) != entry.payload_hash:
                raise ProtocolError("run.payload-differs", "a relayed contribution is not the one that was signed",
                                    got=f"node {survivor}")
            total.add(payload)
        return total

    def _held(
        self, state: Contributed, arrival: Arrival, announced: Mapping[Fingerprint, Entry]
    ) -> dict[Fingerprint, bytes]:
        """Return each survivor's key share for this node; empty where the scheme has none."""
        if not state.key_share.reveal():
            return {}
        held = {}
        for survivor, entry in announced.items():
            if survivor == self.own:
                held[survivor] = state.key_share.reveal()
                continue
            sealed = arrival.shares.get(survivor, b"")
            key = self._key_for(survivor, "key share", state.sum, entry.payload_hash, survivor, self.own)
            held[survivor] = unseal(key, sealed, entry.payload_hash)
        return held

    def _key_for(
        self, peer: Fingerprint, label: str, sum_: Sum, bound: bytes, sender: Fingerprint, receiver: Fingerprint
    ) -> Secret:
        """Return the key of one sealed share: for one label, one sum, one thing it is bound to and one direction."""
        return derive(self._pairs.secrets[peer], label, sum_.transcript.value, bound, sender.encode(),
                      receiver.encode())

    def _tag_blind(self, sum_: Sum) -> int:
        """Return what this member adds to its tag: for every pair a number that one adds and the other takes off."""
        blind = 0
        for peer, secret in self._pairs.secrets.items():
            low, high = sorted((self.own, peer))
            number = derive(secret, "tag blind", sum_.transcript.value, low.encode(), high.encode()).reveal()
            blind += int.from_bytes(number, "little") * (1 if self.own == low else -1)
        return blind % PRIME

    def _proposal_key(
        self, peer: Fingerprint, exchange: int, transcript: Transcript, sender: Fingerprint, receiver: Fingerprint
    ) -> Secret:
        return derive(self._pairs.secrets[peer], "sealed proposal", transcript.value, str(exchange).encode(),
                      sender.encode(), receiver.encode())


def after_sum(transcript: Transcript, digest: bytes, written: Octets, binder: bytes) -> Transcript:
    """Return the transcript after a sum was opened: it commits to the contributions, to the total and to the binder."""
    return transcript.absorb("opened", digest, sha256(written), binder)


def after_agreement(exchange: int, transcript: Transcript, value: bytes) -> Transcript:
    """Return the transcript after a value was adopted."""
    return transcript.absorb("agreed", str(exchange).encode(), value)


def _tag_key(sum_: Sum, common: Secret) -> Secret:
    return derive(common, "sum tag", sum_.transcript.value)


def _contribution_body(transcript: Transcript, payload_hash: bytes, shares_hash: bytes) -> bytes:
    return sha256(transcript.value, payload_hash, *([shares_hash] if shares_hash else []))


def _proposal_body(exchange: int, transcript: Transcript, sealed: bytes) -> bytes:
    return sha256(transcript.value, str(exchange).encode(), sealed)
