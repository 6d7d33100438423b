"""What a node and its coordinator tell each other outside a run's exchanges, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealane.audit.evidence import Leaf
from sealane.core.ids import Fingerprint
from sealane.errors import SealaneError
from sealane.governance.signed_statement import Statement as Statement


@dataclass(frozen=True, slots=True)
class Hello:
    """Node: my version and the computations installed here."""

    version: str
    computations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Welcome:
    """Coordinator: my version and the limits on this stream."""

    version: str
    maximum_message_bytes: int
    chunk_bytes: int


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A party as the coordinator knows it; its fingerprint is checked out of band, never taken from here."""

    name: str
    role: str
    fingerprint: Fingerprint
    signing_key: bytes
    sealing_key: bytes
    connected: bool = False


@dataclass(frozen=True, slots=True)
class Directory:
    """Coordinator: the parties I know."""

    parties: tuple[PartyRecord, ...]


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Coordinator: a study, and everything that was signed about it."""

    study: bytes
    proposer: str
    proposed_at: str
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOffer:
    """Coordinator: a run of this study is to begin; join it."""

    run_id: str
    study: StudyRecord


@dataclass(frozen=True, slots=True)
class Failure:
    """Node: I cannot or will not go on with this run."""

    run_id: str
    error: SealaneError


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Coordinator: the run is over; completed where there is no error."""

    run_id: str
    error: SealaneError | None = None


@dataclass(frozen=True, slots=True)
class Nudge:
    """Coordinator: I miss something of this run; send again what was sent since the last opened sum."""

    run_id: str


@dataclass(frozen=True, slots=True)
class WitnessHead:
    """Node: the size of the newest checkpoint that I accepted as a witness of the audit log."""

    size: int


@dataclass(frozen=True, slots=True)
class LogUpdate:
    """Coordinator: a newer checkpoint, and the proof that it continues the one of size ``old``."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """Node: my signature line over the checkpoint of a size."""

    size: int
    line: str


@dataclass(frozen=True, slots=True)
class ActsHead:
    """Node: how many acts I have recorded, the root over them, and my signature under both where it is sent."""

    count: int
    root: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class PeerHead:
    """Coordinator: the newest head of a peer's acts, signed by it; hold it, and say so."""

    public_key: bytes
    count: int
    root: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class HeadHeld:
    """From node to node: I have this head of your acts on disk."""

    node: Fingerprint
    count: int
    root: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class FreshQuestion:
    """From node to nodes: I started; which head of my acts do you hold?"""

    node: Fingerprint
    nonce: bytes


@dataclass(frozen=True, slots=True)
class FreshAnswer:
    """From node to node: under your nonce, the newest checkpoint that I cosigned and the head of yours that I hold."""

    node: Fingerprint
    nonce: bytes
    size: int
    root: bytes
    head: ActsHead
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Parcel:
    """From one node to another, about private scoring; see :mod:`sealane.node.scoring.parcels`.

    Attributes:
        recipient: of the node that it is for.
        kind: one of :data:`PARCEL_KINDS`.
        subject: hash of the grant or of the request that it is about.
        body: what it says; its form follows from the kind.
        public_key: of the sender.
        signature: over all of it.
    """

    recipient: Fingerprint
    kind: str
    subject: bytes
    body: bytes = field(repr=False)
    public_key: bytes
    signature: bytes


PARCEL_KINDS = {"grant": 1 << 18, "acceptance": 1 << 12, "end": 1 << 12, "question": 0, "request": 450 << 20,
                "answer": 1 << 20, "refusal": 1 << 13}
"""Kind of a parcel -> most bytes of its body."""


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """Coordinator: the leaves that you wait for at a stage of an attempt, under a checkpoint that counts."""

    run_id: str
    attempt: int
    stage: int
    note: bytes
    leaves: tuple[Leaf, ...]
