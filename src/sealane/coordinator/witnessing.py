"""Checkpoints out to the witnesses, cosignatures back, and evidence to the nodes that wait for it.

Synchronous, like the runs: messages come in, messages go out. What it must not forget (cosignatures) is in the log's
tables; the rest is built again when nodes come back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sealane.audit.checkpoint import log_key, sign_checkpoint, verify_cosignature, witness_key
from sealane.audit.entry import acts_detail, statement_digest
from sealane.audit.evidence import RELEASE, START, Leaf
from sealane.audit.note import Note, parse_line
from sealane.audit.policy import Policy
from sealane.coordinator.coordination import Coordination
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.rpc.codec import FromCoordinator
from sealane.rpc.notices import (
    ActsHead,
    Cosigned,
    FreshAnswer,
    FreshQuestion,
    HeadHeld,
    LogEvidence,
    LogUpdate,
    PeerHead,
    WitnessHead,
)

FromWitness = WitnessHead | Cosigned | ActsHead | HeadHeld | FreshQuestion | FreshAnswer
Wanted = tuple[str, str, str | None]


class LogRecords(Protocol):
    """The log, as :class:`sealane.coordinator.log.Log` keeps it."""

    def head(self) -> tuple[int, bytes]:
        """Return the newest size and its root."""

    def root(self, size: int) -> bytes:
        """Return the root over the first leaves."""

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the proof that the log of ``new`` leaves continues that of ``old``."""

    def inclusion(self, position: int, size: int) -> tuple[bytes, ...]:
        """Return the proof that a leaf is in the log of ``size`` leaves."""

    def newest(self, kind: str, subject: str, detail: str | None = None) -> tuple[int, bytes] | None:
        """Return position and bytes of the newest leaf of a kind about a subject."""

    def keep_cosignature(self, size: int, witness: str, checkpoint: str, line: str) -> None:
        """Keep a witness's signature line over a checkpoint."""

    def cosigned(self, size: int) -> dict[str, str]:
        """Return the signature lines over the checkpoint of a size, by witness."""

    def cosigned_sizes(self, least: int, by: Collection[str] | None = None, quorum: int = 1) -> list[int]:
        """Return the sizes, from ``least`` on, of checkpoints that so many of ``by`` cosigned, newest first."""


@dataclass(frozen=True, slots=True)
class _Demand:
    run: Coordination
    attempt: int
    stage: int
    node: Fingerprint


@dataclass(slots=True)
class Witnessing:
    """The log's side of its witnesses.

    Attributes:
        key: signs checkpoints.
        log: where leaves and cosignatures lie.
        send: puts a message into a node's outbox.
        save_acts: keeps the head of a node's own acts in the log.
    """

    key: SigningKey
    log: LogRecords
    send: Callable[[Fingerprint, FromCoordinator], None]
    save_acts: Callable[[Fingerprint, str], None]
    known: dict[Fingerprint, int] = field(default_factory=dict)
    keys: dict[Fingerprint, bytes] = field(default_factory=dict)
    waiting: dict[tuple[str, Fingerprint], _Demand] = field(default_factory=dict)
    heads: dict[Fingerprint, PeerHead] = field(default_factory=dict)
    questions: dict[Fingerprint, FreshQuestion] = field(default_factory=dict)

    def connected(self, node: Fingerprint, public_key: bytes) -> None:
        """Note a witness; it will say which checkpoint it has."""
        self.keys[node] = public_key
        self.known.pop(node, None)
        for told in (self.heads, self.questions):
            for of, message in told.items():
                if of != node:
                    self.send(node, message)

    def lost(self, node: Fingerprint) -> None:
        """Forget a witness that went."""
        self.known.pop(node, None)
        self.questions.pop(node, None)

    def publish(self) -> None:
        """Sign the newest head, and ask witnesses that have not seen it to cosign it."""
        if self.known:
            size, root = self.log.head()
            behind = [node for node, old in self.known.items() if old < size]
            if behind:
                note = sign_checkpoint(self.key, size, root).to_bytes()
                for node in behind:
                    self._update(node, size, note)

    def _update(self, node: Fingerprint, size: int, note: bytes) -> None:
        old, self.known[node] = self.known[node], size
        self.send(node, LogUpdate(old, self.log.consistency(old, size), note))

    def receive(self, sender: Fingerprint, message: FromWitness) -> None:
        """Take in what a witness says.

        Raises:
            ProtocolError: its signature does not verify, or it knows a log that is longer than ours.
        """
        match message:
            case WitnessHead():
                size, root = self.log.head()
                if message.size > size:
                    raise ProtocolError("audit.witness-ahead", "a witness has seen a longer log than this one",
                                        got=message.size, expected=f"at most {size}",
                                        hint="was the coordinator restored from a backup?")
                self.known[sender] = message.size
                # A witness that has this head may have cosigned it in a message that was lost.
                if message.size < size or sender not in self.log.cosigned(size):
                    self._update(sender, size, sign_checkpoint(self.key, size, root).to_bytes())
            case Cosigned():
                self._cosigned(sender, message)
            case ActsHead():
                self.save_acts(sender, acts_detail(message.count, message.root))
                self.heads[sender] = PeerHead(self.keys[sender], message.count, message.root, message.signature)
                self._pass_on(sender, self.heads[sender])
            case FreshQuestion():
                if message.node != sender:
                    raise ProtocolError("audit.question-of-another", "a node asked in another's name", got=message.node,
                                        expected=sender)
                self.questions[sender] = message
                self._pass_on(sender, message)
            case HeadHeld() | FreshAnswer():
                if message.node in self.keys:
                    self.send(message.node, message)

    def _pass_on(self, sender: Fingerprint, message: PeerHead | FreshQuestion) -> None:
        for node in self.keys.keys() - {sender}:
            self.send(node, message)

    def prove(self, run: Coordination, node: Fingerprint) -> None:
        """Send a node the evidence that it waits for in a run, as soon as enough witnesses have cosigned."""
        attempt = run.facts.attempt
        stages = (START, RELEASE) if run.endorsed_detail and node == run.cohort[0] else (START,)
        for stage in stages:
            demand = _Demand(run, attempt, stage, node)
            if not self._answer(demand):
                self.waiting[f"{run.facts.run_id} {attempt} {stage}", node] = demand
        self.publish()

    def forget(self, over: Callable[[Coordination], bool]) -> None:
        """Drop demands of runs that are over."""
        self.waiting = {key: demand for key, demand in self.waiting.items() if not over(demand.run)}

    def checkpoint(
        self, policy: Policy, least: int, own: Fingerprint | None = None, *, oldest: bool = False
    ) -> tuple[int, Note] | None:
        """Return the newest checkpoint of at least a size that counts, and that ``own`` cosigned where it is given."""
        sizes = self.log.cosigned_sizes(least, policy.witnesses.keys(), policy.quorum)
        for size in reversed(sizes) if oldest else sizes:
            lines = self.log.cosigned(size)
            if own is not None and own not in lines:
                continue
            note = self.signed(size)
            note = Note(note.text, note.signatures + tuple(
                parse_line(line) for witness, line in sorted(lines.items()) if witness in policy.witnesses))
            signers = policy.cosigners(note)
            if len(signers) >= policy.quorum and own in (None, *signers):
                return size, note
        return None

    def signed(self, size: int) -> Note:
        """Return the checkpoint of a size, signed by the log alone."""
        return sign_checkpoint(self.key, size, self.log.root(size))

    def _cosigned(self, sender: Fingerprint, message: Cosigned) -> None:
        size, _ = self.log.head()
        if message.size > size:
            raise ProtocolError("audit.witness-ahead", "a witness cosigned a longer log than this one",
                                got=message.size, expected=f"at most {size}")
        text = self.signed(message.size).text
        line = parse_line(message.line)
        key = witness_key(self.keys[sender])
        if (line.name, line.key_id) != (key.name, key.id):
            raise ProtocolError("audit.not-its-key", "a cosignature is not by its sender's key", got=line.name[:80])
        verify_cosignature(text, key, line.value)
        self.log.keep_cosignature(message.size, sender, text, message.line)
        self.waiting = {key: demand for key, demand in self.waiting.items() if not self._answer(demand)}

    def _answer(self, demand: _Demand) -> bool:
        """Send what is asked for, if it can be proved now; True too where nobody waits for it any more."""
        run = demand.run
        if run.facts.state.over or run.facts.attempt != demand.attempt or demand.node not in run.cohort:
            return True
        found = [self.log.newest(*one) for one in _wanted(demand)]
        if any(one is None for one in found):
            return False
        present = [one for one in found if one is not None]
        policy = study_policy(self.key.public_key, run.keys, run.study.colluding)
        counted = self.checkpoint(policy, max(position for position, _ in present) + 1, demand.node)
        if counted is None:
            return False
        size, note = counted
        leaves = tuple(Leaf(position, entry, self.log.inclusion(position, size)) for position, entry in present)
        self.send(demand.node, LogEvidence(run.facts.run_id, demand.attempt, demand.stage, note.to_bytes(), leaves))
        return True


def study_policy(log: bytes, keys: Mapping[Fingerprint, bytes], colluding: int) -> Policy:
    """Return the policy of a study: its participants are the witnesses, and c of them may lie.

    Args:
        log: the coordinator's public key.
        keys: public key by fingerprint of every participant.
        colluding: the study's c.
    """
    return Policy(log_key(log), {f: witness_key(key) for f, key in keys.items()}, colluding)


def _wanted(demand: _Demand) -> list[Wanted]:
    """Which leaves a node waits for; see :mod:`sealane.node.witness` for what it holds them against."""
    run = demand.run
    if demand.stage == RELEASE:
        return [("run.endorsed", run.facts.run_id, run.endorsed_detail)]
    own = next(s for s in run.record.statements if fingerprint(s.public_key) == demand.node)
    return [("study.approved", run.facts.study_hash, statement_digest(own.body, own.public_key, own.signature)),
            ("node.acts", demand.node, None),
            ("run.cohort", run.facts.run_id, run.facts.cohort_detail)]
