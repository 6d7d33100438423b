"""The coordinator's part in a sum: gather ciphertexts, announce the survivors, relay sealed shares. It opens nothing.

    Gathering --every contribution, or enough of them--> Announced --every release, or enough of them--> Relayed

A sum that opens on arrival waits for no release: it is Relayed once it is announced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.messages import Arrival, Contribution, Entry, Opening, Release, shares_hash
from sealane.secagg.scheme import Form, Total, form_of, get_scheme


@dataclass(frozen=True, slots=True)
class Arrived:
    """One contribution: as it came where it is relayed whole; otherwise added up, and its payload let go.

    Attributes:
        digest: of all its bytes, to tell a copy from another answer.
    """

    entry: Entry
    digest: bytes
    payload: Octets = field(repr=False)
    shares: Mapping[Fingerprint, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Gathering:
    """Waiting for the contributions of a cohort.

    Attributes:
        first: the first contribution, without its payload.
        form: of its payload, which all others share.
        total: the payloads added up; it grows in place, so that its memory does not grow with the cohort.
    """

    attempt: Attempt
    first: Contribution | None = None
    form: Form | None = None
    arrived: Mapping[Fingerprint, Arrived] = field(default_factory=dict)
    total: Total | None = field(default=None, repr=False)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not contributed yet."""
        return self.attempt.cohort - self.arrived.keys()


@dataclass(frozen=True, slots=True)
class Announced:
    """The survivors are fixed and everybody was told; waiting for the releases.

    Attributes:
        aggregate: the payloads added up, where they are not relayed whole.
        same: the announcement, where all are told the same: then it is written once.
    """

    gathered: Gathering
    aggregate: Octets = field(repr=False)
    openers: frozenset[Fingerprint]
    replies: int
    same: Arrival | None = field(default=None, repr=False)
    releases: Mapping[Fingerprint, Release] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not released yet."""
        return self.openers - self.releases.keys()

    @property
    def enough(self) -> bool:
        """True where the sum can be opened without those who are missing."""
        return len(self.releases) >= self.replies


@dataclass(frozen=True, slots=True)
class Relayed:
    """Enough sealed shares are there and go to the nodes that they were sealed to."""

    announced: Announced

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Nobody is waited for."""
        return frozenset()


SumState = Gathering | Announced | Relayed


def accept_contribution(state: SumState, sender: Fingerprint, message: Contribution) -> SumState:
    """Take in a contribution; one that came before with the same bytes changes nothing, nor does one that is late.

    Raises:
        ProtocolError: the sender is not of the cohort, answered before with different bytes, holds back a share, or
            sends a vector of another form than the rest.
    """
    gathered = state if isinstance(state, Gathering) else announced_of(state).gathered
    attempt = gathered.attempt
    if sender not in attempt.cohort:
        raise ProtocolError("run.not-a-member", "party is not in the cohort", got=sender)
    payload_hash = sha256(message.payload)
    entry = Entry(sender, b"" if message.tagged else payload_hash, message.description_hash, message.signature,
                  shares_hash(message.shares))
    digest = sha256(payload_hash, entry.description_hash, entry.signature, entry.shares_hash,
                    str((message.word_bits, message.relay_whole)).encode())
    known = gathered.arrived.get(sender)
    if known is not None:
        if known.digest != digest:
            raise ProtocolError("run.equivocation", "node answered twice with different bytes", got=f"node {sender}",
                                hint="it was restored from an old copy, or it lies; the first answer stands")
        return state
    if not isinstance(state, Gathering):
        return state  # the survivors are fixed without it
    scheme = get_scheme(attempt.scheme)
    if not scheme.whole_cohort and message.shares.keys() != set(scheme.openers(attempt)) - {sender}:
        raise ProtocolError("run.shares-malformed", "a contribution does not hold one key share for every opener",
                            got=f"{len(message.shares)} shares")
    form = form_of(message)
    if form != (gathered.form or form):
        earlier = next(iter(gathered.arrived))
        raise ProtocolError("run.payload-length", "contributions differ in form: which is wrong cannot be told",
                            got=f"{_told(form)} of node {sender}",
                            expected=f"{_told(gathered.form or form)}, as of node {earlier}, which came first",
                            hint="compare versions with `sealane doctor`; where they agree, a node lies about its rows")
    total = gathered.total
    if not message.relay_whole:
        total = total or scheme.total(attempt, form)
        total.add(message.payload)
    arrived = Arrived(entry, digest, message.payload if message.relay_whole else b"", message.shares)
    first = gathered.first or replace(message, payload=b"")
    grown = Gathering(attempt, first, form, {**gathered.arrived, sender: arrived}, total)
    if grown.missing:
        return grown
    announced = _announced(grown)
    return Relayed(announced) if form.opens_on_arrival else announced


def announce_survivors(state: Gathering) -> Announced:
    """Go on without those who are missing: the sum will be of those who are there, and of nobody else.

    Raises:
        ProtocolError: too few are there, or the scheme opens for whole cohorts only.
    """
    attempt = state.attempt
    fewest = attempt.size if get_scheme(attempt.scheme).whole_cohort else attempt.smallest
    if len(state.arrived) < fewest:
        raise ProtocolError("run.too-few-survivors", "too few contributions arrived to open their sum",
                            got=f"{len(state.arrived)} of {attempt.size}", expected=f"at least {fewest}")
    return _announced(state)


def accept_release(state: SumState, sender: Fingerprint, message: Release) -> SumState:
    """Take in a node's sealed shares; late ones change nothing.

    Raises:
        ProtocolError: too early, of a node that holds no share, not one share for every peer, or different from before.
    """
    if isinstance(state, Gathering):
        raise ProtocolError("run.illegal-transition", "a release came before the announcement", got=f"node {sender}")
    announced = announced_of(state)
    cohort = announced.gathered.attempt.cohort
    if sender not in announced.openers or message.sealed.keys() != cohort - {sender}:
        raise ProtocolError("run.release-malformed", "a release does not hold one share for every peer",
                            got=f"{len(message.sealed)} shares", expected=f"{len(cohort) - 1} shares")
    known = announced.releases.get(sender)
    if known is not None and known != message:
        raise ProtocolError("run.equivocation", "node answered twice with different bytes", got=f"node {sender}")
    if known is not None or isinstance(state, Relayed):
        return state
    grown = replace(announced, releases={**announced.releases, sender: message})
    return grown if grown.missing else Relayed(grown)


def _told(form: Form) -> str:
    tagged = " with a tag" if form.tagged else ""
    return f"{form.payload_bytes} bytes in words of {form.word_bits} bits{tagged}"


def announced_of(state: Announced | Relayed) -> Announced:
    """Return the announcement behind a later state."""
    return state if isinstance(state, Announced) else state.announced


def announcement(announced: Announced, to: Fingerprint) -> Arrival:
    """Write the announcement for a node: the survivors' hashes, the others' payloads or the sum of all, its shares."""
    if announced.same is not None:
        return announced.same
    first = announced.gathered.first
    assert first is not None
    arrived = dict(sorted(announced.gathered.arrived.items()))
    whole = {f: a.payload for f, a in arrived.items() if f != to} if first.relay_whole else {}
    return Arrival(first.run_id, first.attempt, first.exchange, tuple(a.entry for a in arrived.values()), whole,
                   announced.aggregate, {f: a.shares[to] for f, a in arrived.items() if to in a.shares})


def opening(announced: Announced, to: Fingerprint) -> Opening:
    """Collect what the openers sealed to one node."""
    first = announced.gathered.first
    assert first is not None
    sealed = {f: r.sealed[to] for f, r in announced.releases.items() if f != to}
    return Opening(first.run_id, first.attempt, first.exchange, sealed)


def _announced(gathered: Gathering) -> Announced:
    scheme = get_scheme(gathered.attempt.scheme)
    aggregate: Octets = b"" if gathered.total is None else gathered.total.write()
    gathered = replace(gathered, total=None)
    if gathered.form is not None and gathered.form.opens_on_arrival:
        announced = Announced(gathered, aggregate, frozenset(), 0)
    else:
        announced = Announced(gathered, aggregate, frozenset(scheme.openers(gathered.attempt)),
                              scheme.replies(gathered.attempt))
    if aggregate and not any(one.shares for one in gathered.arrived.values()):
        return replace(announced, same=announcement(announced, gathered.attempt.first))
    return announced
