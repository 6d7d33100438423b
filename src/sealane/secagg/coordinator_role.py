"""The coordinator's part in a sum: gather ciphertexts, announce them, relay sealed shares. It opens nothing.

    Gathering --every contribution--> Announced --every release--> Relayed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.ring.words import add, from_bytes, to_bytes
from sealane.secagg.messages import Arrival, Contribution, Entry, Opening, Release


@dataclass(frozen=True, slots=True)
class Gathering:
    """Waiting for the contributions of a cohort."""

    cohort: frozenset[Fingerprint]
    contributions: Mapping[Fingerprint, Contribution] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not contributed yet."""
        return self.cohort - self.contributions.keys()


@dataclass(frozen=True, slots=True)
class Announced:
    """Everybody contributed and was told so; waiting for the releases."""

    gathered: Gathering
    releases: Mapping[Fingerprint, Release] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not released yet."""
        return self.gathered.cohort - self.releases.keys()


@dataclass(frozen=True, slots=True)
class Relayed:
    """Every sealed share is there and goes to the node it was sealed to."""

    announced: Announced

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Nobody is waited for."""
        return frozenset()


SumState = Gathering | Announced | Relayed


def accept_contribution(state: SumState, sender: Fingerprint, message: Contribution) -> SumState:
    """Take in a contribution; one that came before with the same bytes changes nothing.

    Raises:
        ProtocolError: the sender is not of the cohort, answered before with different bytes, or sends a vector of
            another length than the rest.
    """
    gathered = state if isinstance(state, Gathering) else gathered_of(state)
    if sender not in gathered.cohort:
        raise ProtocolError("run.not-a-member", "party is not in the cohort", got=sender)
    known = gathered.contributions.get(sender)
    if known is not None:
        if known != message:
            raise ProtocolError("run.equivocation", "node answered twice with different bytes", got=f"node {sender}",
                                hint="it was restored from an old copy, or it lies; the first answer stands")
        return state
    if not isinstance(state, Gathering):
        raise ProtocolError("run.illegal-transition", "contributions are closed", got=type(state).__name__)
    for other in gathered.contributions.values():
        if (len(other.payload), other.relay_whole) != (len(message.payload), message.relay_whole):
            raise ProtocolError("run.payload-length", "contributions differ in length",
                                got=f"{len(message.payload)} bytes", expected=f"{len(other.payload)} bytes")
        break
    grown = replace(gathered, contributions={**gathered.contributions, sender: message})
    return grown if grown.missing else Announced(grown)


def accept_release(state: SumState, sender: Fingerprint, message: Release) -> SumState:
    """Take in a node's sealed shares.

    Raises:
        ProtocolError: too early, not of the cohort, not one share for every peer, or different from before.
    """
    match state:
        case Gathering():
            raise ProtocolError("run.illegal-transition", "a release came before the announcement",
                                got=f"node {sender}")
        case Relayed(announced=announced) | (Announced() as announced):
            pass
    cohort = announced.gathered.cohort
    if sender not in cohort or message.sealed.keys() != cohort - {sender}:
        raise ProtocolError("run.release-malformed", "a release does not hold one share for every peer",
                            got=f"{len(message.sealed)} shares", expected=f"{len(cohort) - 1} shares")
    known = announced.releases.get(sender)
    if known is not None:
        if known != message:
            raise ProtocolError("run.equivocation", "node answered twice with different bytes", got=f"node {sender}")
        return state
    grown = replace(announced, releases={**announced.releases, sender: message})
    return grown if grown.missing else Relayed(grown)


def gathered_of(state: Announced | Relayed) -> Gathering:
    """Return the contributions behind a later state."""
    return state.gathered if isinstance(state, Announced) else state.announced.gathered


def announcement(gathered: Gathering) -> dict[Fingerprint, Arrival]:
    """Write the announcement for each node: every contribution's hash, and the others' payloads or the sum of all."""
    contributions = dict(sorted(gathered.contributions.items()))
    entries = tuple(Entry(f, sha256(c.payload), c.description_hash, c.signature) for f, c in contributions.items())
    first = next(iter(contributions.values()))
    aggregate = b"" if first.relay_whole else _aggregate([c.payload for c in contributions.values()])
    out: dict[Fingerprint, Arrival] = {}
    for to in contributions:
        payloads = {f: c.payload for f, c in contributions.items() if f != to} if first.relay_whole else {}
        out[to] = Arrival(first.run_id, first.attempt, first.exchange, entries, payloads, aggregate)
    return out


def opening(announced: Announced, to: Fingerprint) -> Opening:
    """Collect what every peer sealed to one node."""
    message = announced.releases[to]
    sealed = {f: r.sealed[to] for f, r in announced.releases.items() if f != to}
    return Opening(message.run_id, message.attempt, message.exchange, sealed)


def _aggregate(payloads: list[bytes]) -> bytes:
    """Add up updates, which are packed into 64-bit words."""
    length = len(payloads[0]) // 8
    total = from_bytes(payloads[0], 64, length)
    for payload in payloads[1:]:
        add(total, from_bytes(payload, 64, length), 64)
    return to_bytes(total, 64)
