"""The messages of a run, as values. Each names its run, attempt and exchange; codecs live in ``rpc``.

An *exchange* is one collective call (a sum, or an agreement on a value); within an attempt they are numbered from 0,
and since every node runs the same program, all nodes give the same exchange the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealane.core.ids import Fingerprint


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
class Contribution:
    """Node: my protected vector for an exchange. The signature covers the transcript and the payload's hash."""

    run_id: str
    attempt: int
    exchange: int
    description_hash: bytes
    signature: bytes
    payload: bytes = field(repr=False)
    relay_whole: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One arrived contribution, as announced to all."""

    fingerprint: Fingerprint
    payload_hash: bytes
    description_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """Coordinator: these contributions arrived. Payloads of the others, or the sum of all where not relayed whole."""

    run_id: str
    attempt: int
    exchange: int
    entries: tuple[Entry, ...]
    payloads: Mapping[Fingerprint, bytes] = field(default_factory=dict, repr=False)
    aggregate: bytes = field(default=b"", repr=False)


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
