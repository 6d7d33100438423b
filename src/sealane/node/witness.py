"""This node as a witness of the audit log, and what it demands of the log before it goes on in a run.

It keeps each newer head on disk before its cosignature leaves, so that after a crash it never cosigns a log that does
not continue what it has signed for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock
from typing import Protocol

from sealane.audit.checkpoint import cosign, log_key, witness_key
from sealane.audit.entry import Entry, cohort_detail, endorsed_detail, parse_acts, parse_entry, statement_digest
from sealane.audit.evidence import RELEASE, START, check_evidence
from sealane.audit.note import parse_note
from sealane.audit.policy import Policy
from sealane.audit.witness import Witnessed, witness
from sealane.core.clock import Clock
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.signed_statement import SignedAgreement
from sealane.node import known_peers
from sealane.node.acts import Acts, check_remembered
from sealane.node.database import open_database, transaction
from sealane.node.fresh import Fresh, KeptHeads
from sealane.node.register_schema import SCHEMA
from sealane.rpc.notices import ActsHead, Cosigned, LogEvidence, LogUpdate, WitnessHead
from sealane.secagg.attempt import Attempt

EVIDENCE_S = 60.0
"""How long a run waits for the log's proofs."""
_ANY = "2000-01-01T00:00:00Z"
"""The moment in an entry that is only compared with: when the log wrote it is the log's business."""


class Kept(KeptHeads, Protocol):
    """Where a witness keeps the newest head that it accepted."""

    def save(self, state: Witnessed) -> None:
        """Keep a newer one: on disk when it returns."""


@dataclass(slots=True)
class MemoryKept:
    """The newest head, in memory."""

    state: Witnessed = field(default_factory=Witnessed)
    heads: dict[Fingerprint, ActsHead] = field(default_factory=dict)

    def load(self) -> Witnessed:
        """Return it."""
        return self.state

    def save(self, state: Witnessed) -> None:
        """Keep a newer one."""
        self.state = state

    def load_head(self, node: Fingerprint) -> ActsHead | None:
        """Return the newest head of a peer's acts that is held."""
        return self.heads.get(node)

    def save_head(self, node: Fingerprint, head: ActsHead) -> None:
        """Hold a newer head of a peer's acts."""
        self.heads[node] = head

    def is_known(self, own: Fingerprint, peer: Fingerprint) -> bool:
        """Return True: nobody is a stranger in a simulation."""
        return True

    def verified_nodes(self, own: Fingerprint) -> frozenset[Fingerprint]:
        """Return whose heads are held."""
        return frozenset(self.heads)


class WitnessRecords:
    """The newest heads, in ``node.sqlite``. They may be used from several threads."""

    def __init__(self, path: Path | str) -> None:
        self._db = open_database(path, SCHEMA)
        self._lock = RLock()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def load(self) -> Witnessed:
        """Return the newest head that was accepted."""
        with self._lock:
            row = self._db.execute("SELECT size, root FROM witnessed").fetchone()
        return Witnessed() if row is None else Witnessed(row[0], bytes(row[1]))

    def save(self, state: Witnessed) -> None:
        """Keep a newer one: on disk when it returns."""
        with self._lock, transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO witnessed (one, size, root) VALUES (1, ?, ?)", (state.size, state.root))

    def load_head(self, node: Fingerprint) -> ActsHead | None:
        """Return the newest head of a peer's acts that is held."""
        with self._lock:
            row = self._db.execute("SELECT count, root, signature FROM heads_held WHERE node = ?", (node,)).fetchone()
        return None if row is None else ActsHead(row[0], bytes(row[1]), bytes(row[2]))

    def save_head(self, node: Fingerprint, head: ActsHead) -> None:
        """Hold a newer head of a peer's acts: on disk when it returns."""
        with self._lock, transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO heads_held (node, count, root, signature) VALUES (?, ?, ?, ?)",
                       (node, head.count, head.root, head.signature))

    def is_known(self, own: Fingerprint, peer: Fingerprint) -> bool:
        """Return whether a peer was verified, or signed a study with this node."""
        with self._lock:
            return known_peers.is_known(self._db, own, peer)

    def verified_nodes(self, own: Fingerprint) -> frozenset[Fingerprint]:
        """Return the verified peers that this node knows as nodes."""
        with self._lock:
            return known_peers.verified_nodes(self._db, own)


class NodeWitness:
    """One node's side of the audit log. It may be used from several threads.

    Args:
        key: this node's signing key.
        log: the coordinator's public key.
        kept: the newest head that was accepted.
        acts: what this node did.
        clock: tells the time.
        patience_s: how long a run waits for the log's proofs.
    """

    def __init__(
        self, key: SigningKey, log: bytes, kept: Kept, acts: Acts, clock: Clock, patience_s: float = EVIDENCE_S
    ) -> None:
        self.key = key
        self.log = log
        self.kept = kept
        self.acts = acts
        self.clock = clock
        self.patience_s = patience_s
        self.fresh = Fresh(key, kept, acts)
        self._lock = Lock()

    def start_anew(self) -> None:
        """Forget what a process forgets that ends: peers are asked again, under another nonce."""
        self.fresh = Fresh(self.key, self.kept, self.acts)

    def head(self) -> WitnessHead:
        """Return what the coordinator's next proof must start from."""
        with self._lock:
            return WitnessHead(self.kept.load().size)

    def update(self, message: LogUpdate) -> Cosigned | WitnessHead:
        """Take in a newer checkpoint: keep it, then return the cosignature, or say from where a proof must start.

        Raises:
            ProtocolError: the log shrank, was rewritten, or is another's. Nothing is cosigned.
        """
        note = parse_note(message.note)
        with self._lock:
            state = self.kept.load()
            if message.old != state.size:
                return WitnessHead(state.size)
            newer = witness(state, log_key(self.log), note, message.old, message.proof)
            if newer != state:
                self.kept.save(newer)
        line = cosign(self.key, note.text, int(self.clock().timestamp()))
        return Cosigned(newer.size, line.line().rstrip("\n"))

    def check_start(
        self, evidence: LogEvidence, attempt: Attempt, approvals: Mapping[Fingerprint, SignedAgreement], node: str,
        least: int,
    ) -> None:
        """Check that the log holds this node's approval, its acts, and the cohort of this attempt.

        Args:
            evidence: what the coordinator sent.
            attempt: that is about to begin.
            approvals: of every participant, by fingerprint, verified.
            node: this node's name in the study.
            least: how many of this node's acts the log must have.

        Raises:
            ProtocolError: the evidence does not hold.
            RefusedError: the log has acts that this node has forgotten.
        """
        own = approvals[self.key.fingerprint]
        members = [(m.fingerprint, m.agreement_key, m.signature) for m in attempt.members]
        if len(evidence.leaves) != 3:
            raise ProtocolError("audit.leaves-missing", "the evidence has not the leaves that were asked for",
                                got=len(evidence.leaves), expected=3)
        acts = parse_entry(evidence.leaves[1].entry)
        self._check(evidence, attempt, approvals, [
            Entry(_ANY, "study.approved", node, attempt.study_hash,
                  statement_digest(own.body, own.public_key, own.signature)),
            Entry(_ANY, "node.acts", node, self.key.fingerprint, acts.detail),
            Entry(_ANY, "run.cohort", "coordinator", attempt.run_id,
                  cohort_detail(attempt.number, attempt.study_hash, members))], START)
        check_remembered(self.acts, least, acts.detail)

    def check_release(
        self, evidence: LogEvidence, attempt: Attempt, approvals: Mapping[Fingerprint, SignedAgreement],
        result_hash: bytes,
    ) -> None:
        """Check that the log holds the result that every member endorsed.

        Raises:
            ProtocolError: the evidence does not hold.
        """
        self._check(evidence, attempt, approvals, [
            Entry(_ANY, "run.endorsed", "coordinator", attempt.run_id, endorsed_detail(attempt.number, result_hash))],
            RELEASE)

    def _check(
        self, evidence: LogEvidence, attempt: Attempt, approvals: Mapping[Fingerprint, SignedAgreement],
        wanted: list[Entry], stage: int,
    ) -> None:
        if (evidence.run_id, evidence.attempt, evidence.stage) != (attempt.run_id, attempt.number, stage):
            raise ProtocolError("audit.other-run", "the evidence is of another run or attempt", got=evidence.run_id)
        witnesses = {f: witness_key(s.public_key) for f, s in approvals.items()}
        policy = Policy(log_key(self.log), witnesses, attempt.colluding)
        check_evidence(policy, self.key.fingerprint, evidence.note, evidence.leaves, wanted)


def reported_acts(entry: bytes) -> int:
    """Return how many acts a leaf says that a node reported.

    Raises:
        ProtocolError: it is no leaf of a node's acts.
        InputError: it is no leaf.
    """
    return parse_acts(parse_entry(entry).detail)[0]


def by_signer(approvals: tuple[SignedAgreement, ...]) -> dict[Fingerprint, SignedAgreement]:
    """Return approvals by the fingerprint of who signed them."""
    return {fingerprint(s.public_key): s for s in approvals}
