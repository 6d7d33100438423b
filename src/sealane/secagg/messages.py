"""The messages of a run, as values. Each names its run, attempt and exchange; codecs live in ``rpc``.

An *exchange* is one collective call (a sum, or an agreement on a value); within an attempt they are numbered from 0,
and since every node runs the same program, all nodes give the same exchange the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets


@dataclass(frozen=True, slots=True)
class Join:
    """Node: I take part, with this agreement key. Signed over study hash, run and key."""

    run_id: str
    agreement_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Member:
    """One institution of a cohort: its identity and its agreement key for this run."""

    fingerprint: Fingerprint
    signing_key: bytes
    agreement_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Coordinator: an attempt begins with this cohort."""

    run_id: str
    attempt: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Introduction:
    """Node: a secret for every member after me, encapsulated to it. Signed over the transcript and all hashes."""

    run_id: str
    attempt: int
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)
    signature: bytes


@dataclass(frozen=True, slots=True)
class IntroductionEntry:
    """One member's introduction, as told to all: hashes of what it encapsulated, in order of the receivers."""

    fingerprint: Fingerprint
    hashes: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Introduced:
    """Coordinator to one node: who introduced itself, and what those before it encapsulated to it."""

    run_id: str
    attempt: int
    entries: tuple[IntroductionEntry, ...]
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contribution:
    """Node: my protected vector for an exchange.

    Attributes:
        signature: over the transcript and the hashes of payload and shares; none where the vector is tagged.
        word_bits: bits of a word of the payload, for whoever adds it up.
        relay_whole: True where every node is sent every payload, to check and add for itself.
        shares: of this contribution's key, sealed to each opener; none where the scheme has no such.
        opens_on_arrival: True where the members open the sum once all contributions arrived, without a release.
        tagged: True of statistics that are added up, with a tag behind them by which the members check the total.
    """

    run_id: str
    attempt: int
    exchange: int
    description_hash: bytes
    signature: bytes
    payload: Octets = field(repr=False)
    word_bits: int
    relay_whole: bool
    shares: Mapping[Fingerprint, bytes] = field(default_factory=dict, repr=False)
    opens_on_arrival: bool = False
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One arrived contribution, as announced to all.

    Attributes:
        payload_hash: of its payload; empty, as the signature is, where it is tagged: its total is held to the tag.
        shares_hash: of its sealed key shares, empty without any.
    """

    fingerprint: Fingerprint
    payload_hash: bytes
    description_hash: bytes
    signature: bytes
    shares_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Coordinator to one node: these contributions arrived, and no other belongs to the sum.

    Attributes:
        entries: the survivors'.
        payloads: of the others, where they are relayed whole.
        aggregate: the sum of all payloads, where they are not.
        shares: what each survivor sealed to this node.
    """

    run_id: str
    attempt: int
    exchange: int
    entries: tuple[Entry, ...]
    payloads: Mapping[Fingerprint, Octets] = field(default_factory=dict, repr=False)
    aggregate: Octets = field(default=b"", repr=False)
    shares: Mapping[Fingerprint, bytes] = field(default_factory=dict, repr=False)


def shares_hash(shares: Mapping[Fingerprint, bytes]) -> bytes:
    """Return the hash over a contribution's sealed key shares; empty where there are none."""
    if not shares:
        return b""
    return sha256(b"sealane shares v1", *(part for f in sorted(shares) for part in (f.encode(), shares[f])))


@dataclass(frozen=True, slots=True)
class Release:
    """Node: my share of the opening, sealed to each peer."""

    run_id: str
    attempt: int
    exchange: int
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opening:
    """Coordinator to one node: what its peers sealed to it, by sender."""

    run_id: str
    attempt: int
    exchange: int
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The first node of the cohort: a value sealed to each of the others in turn, for them to check and adopt."""

    run_id: str
    attempt: int
    exchange: int
    value: bytes = field(repr=False)
    signature: bytes


@dataclass(frozen=True, slots=True)
class Letters:
    """Node: what I say to single others, sealed to each. Signed over the transcript and all hashes.

    Attributes:
        sealed: by receiver; who is not in it gets none.
        hashes: of what is sealed, in order of all other members; empty where there is no letter.
    """

    run_id: str
    attempt: int
    exchange: int
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)
    hashes: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class LettersEntry:
    """One member's letters, as told to all."""

    fingerprint: Fingerprint
    hashes: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """Coordinator to one node: every member wrote; here is what was written to you, by sender."""

    run_id: str
    attempt: int
    exchange: int
    entries: tuple[LettersEntry, ...]
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endorsement:
    """Node: this is the result that my policy gate lets out. Signed over run, study, transcript and result hash."""

    run_id: str
    attempt: int
    result_hash: bytes
    transcript: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Endorsed:
    """Coordinator: every member endorsed the same result."""

    run_id: str
    attempt: int
    endorsements: Mapping[Fingerprint, Endorsement]


@dataclass(frozen=True, slots=True)
class SealedResult:
    """The first node of the cohort: the result, sealed to each recipient."""

    run_id: str
    attempt: int
    sealed: Mapping[Fingerprint, bytes] = field(repr=False)
