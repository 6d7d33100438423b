"""What this node's peers hold of its acts, and what it holds of theirs: a copy that was put back is found out.

One instance lives from a start of the node to its end. It may be used from several threads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from sealane.audit.fresh import (
    ANSWER_KIND,
    HEAD_KIND,
    HELD_KIND,
    NONCE_BYTES,
    answer_body,
    answers_needed,
    head_body,
    held_body,
    holders_needed,
)
from sealane.audit.merkle import EMPTY_ROOT
from sealane.audit.witness import Witnessed
from sealane.core.entropy import random_bytes
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError, SealaneError, UnavailableError
from sealane.node.acts import Acts, rolled_back
from sealane.rpc.notices import ActsHead, FreshAnswer, FreshQuestion, HeadHeld, PeerHead
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
Message = PeerHead | HeadHeld | FreshQuestion | FreshAnswer
MAXIMUM_PEERS = 1024
"""Most strangers whose answers are kept, in memory, until they are known: nobody's inventions fill it."""
POLL_S = 0.005


class KeptHeads(Protocol):
    """Where a witness keeps its newest head of the log, and of each peer's acts. ``save…`` is on disk on return."""

    def load(self) -> Witnessed:
        """Return the newest head of the log that was accepted."""

    def load_head(self, node: Fingerprint) -> ActsHead | None:
        """Return the newest head of a peer's acts that is held."""

    def save_head(self, node: Fingerprint, head: ActsHead) -> None:
        """Hold a newer head of a peer's acts."""

    def is_known(self, own: Fingerprint, peer: Fingerprint) -> bool:
        """Return whether a peer was verified here, or signed a study with this node, whose fingerprint is ``own``."""

    def verified_nodes(self, own: Fingerprint) -> frozenset[Fingerprint]:
        """Return the verified peers that this node knows as nodes; ``own`` is its own fingerprint."""


@dataclass(slots=True)
class Fresh:
    """This start of the node.

    Attributes:
        key: this node's signing key.
        kept: what it holds on disk.
        acts: what it did.
        nonce: of this start.
    """

    key: SigningKey
    kept: KeptHeads
    acts: Acts
    nonce: bytes = field(default_factory=lambda: random_bytes(NONCE_BYTES))
    _answers: dict[Fingerprint, FreshAnswer] = field(default_factory=dict)
    _holders: dict[Fingerprint, int] = field(default_factory=dict)
    _remembered: set[ActsHead] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def question(self) -> FreshQuestion:
        """Return what this node asks its peers."""
        return FreshQuestion(self.key.fingerprint, self.nonce)

    def head(self) -> ActsHead:
        """Return the newest head of this node's acts, signed."""
        head = self.acts.head()
        return ActsHead(head.count, head.root, self.key.sign(HEAD_KIND, head_body(head.count, head.root)))

    def receive(self, message: Message) -> HeadHeld | FreshAnswer | None:
        """Take in what came from a peer, and return what it gets; what does not verify is logged and left out."""
        try:
            match message:
                case PeerHead():
                    return self.hold(message)
                case FreshQuestion():
                    return self.answer(message)
                case _:
                    self.take(message)
        except SealaneError as error:
            log(_LOG, "fresh.rejected", level=logging.WARNING, error=error)
        return None

    def hold(self, told: PeerHead) -> HeadHeld | None:
        """Keep a peer's head, and say so once it is on disk; None for an older one, and for a stranger's.

        Raises:
            ProtocolError: the peer did not sign it, or has signed another of as many acts.
        """
        verify(told.public_key, HEAD_KIND, head_body(told.count, told.root), told.signature)
        peer = fingerprint(told.public_key)
        with self._lock:
            held = self.kept.load_head(peer)
            if held is not None and told.count == held.count and told.root != held.root:
                raise ProtocolError("audit.acts-forked", "a node signed two heads of as many acts", got=peer)
            if held is not None and told.count < held.count:
                return None
            # Anybody can make up keys: only those whom somebody here, and not the coordinator, chose take room on disk.
            if held is None and not self.kept.is_known(self.key.fingerprint, peer):
                return None
            if held is None or told.count > held.count:
                self.kept.save_head(peer, ActsHead(told.count, told.root, told.signature))
        signature = self.key.sign(HELD_KIND, held_body(peer, told.count, told.root))
        return HeadHeld(peer, told.count, told.root, self.key.public_key, signature)

    def answer(self, question: FreshQuestion) -> FreshAnswer:
        """Answer a peer that started."""
        with self._lock:
            state, held = self.kept.load(), self.kept.load_head(question.node)
        head = held or ActsHead(0, EMPTY_ROOT, bytes(64))
        body = answer_body(question.node, question.nonce, state.size, state.root, head.count, head.root)
        return FreshAnswer(question.node, question.nonce, state.size, state.root, head, self.key.public_key,
                           self.key.sign(ANSWER_KIND, body))

    def take(self, told: HeadHeld | FreshAnswer) -> None:
        """Take in what a peer says of this node; what is of another node or another start is left out.

        Raises:
            ProtocolError: a signature does not verify.
        """
        if told.node != self.key.fingerprint:
            return
        peer = fingerprint(told.public_key)
        match told:
            case HeadHeld():
                verify(told.public_key, HELD_KIND, held_body(told.node, told.count, told.root), told.signature)
                if told.root == self._own_root(told.count):
                    with self._lock:
                        if self._has_room(peer, self._holders):
                            self._holders[peer] = max(told.count, self._holders.get(peer, 0))
            case FreshAnswer():
                if told.nonce != self.nonce:
                    return
                head = told.head
                verify(told.public_key, ANSWER_KIND, answer_body(
                    told.node, told.nonce, told.size, told.root, head.count, head.root), told.signature)
                if head.count > 0:  # what it says that this node signed must have been signed: nobody invents acts
                    verify(self.key.public_key, HEAD_KIND, head_body(head.count, head.root), head.signature)
                with self._lock:
                    if self._has_room(peer, self._answers):
                        self._answers[peer] = told

    def check_remembered(self) -> None:
        """Refuse to go on if any peer holds a head that this node signed and does not remember.

        Raises:
            RefusedError: this node was put back from an old copy.
        """
        with self._lock:
            answers = list(self._answers.values())
        for one in answers:
            if one.head.count == 0 or one.head in self._remembered:
                continue
            if one.head.root != self._own_root(one.head.count):
                raise rolled_back(self.acts.head().count, one.head.count)
            self._remembered.add(one.head)  # acts are only added: a head that fitted once fits for good

    def answered(self, others: Collection[Fingerprint], colluding: int) -> bool:
        """Return whether enough of a study's other participants answered, none with a checkpoint unlike this node's."""
        state = self.kept.load()
        with self._lock:
            said = [self._answers[peer] for peer in others if peer in self._answers]
        same = [one for one in said if one.size != state.size or one.root == state.root]
        return len(same) >= answers_needed(len(others) + 1, colluding)

    def held(self, others: Collection[Fingerprint], colluding: int, least: int) -> bool:
        """Return whether enough of a study's other participants hold a head of at least so many acts of this node."""
        with self._lock:
            holders = sum(self._holders.get(peer, -1) >= least for peer in others)
        return holders >= holders_needed(len(others) + 1, colluding)

    def _has_room(self, peer: Fingerprint, told: Collection[Fingerprint]) -> bool:
        """Return whether what a peer tells is kept; it may be verified only later, so strangers have some room."""
        return peer in told or len(told) < MAXIMUM_PEERS or self.kept.is_known(self.key.fingerprint, peer)

    def _own_root(self, count: int) -> bytes | None:
        return self.acts.root(count) if count <= self.acts.head().count else None


async def vouched(fresh: Fresh, others: Collection[Fingerprint], colluding: int, least: int, patience_s: float) -> None:
    """Wait until enough of a study's other participants answered since this start, and hold this node's newest head.

    Args:
        fresh: this start.
        others: fingerprints of the other participants.
        colluding: the study's c.
        least: how many acts the head must have that they hold.
        patience_s: how long to wait.

    Raises:
        RefusedError: a peer holds a head that this node signed and does not remember.
        UnavailableError: too few peers vouch for it.
    """
    size = len(others) + 1
    try:
        async with asyncio.timeout(patience_s):
            while not (fresh.answered(others, colluding) and fresh.held(others, colluding, least)):
                fresh.check_remembered()
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise UnavailableError(
            "node.not-fresh", "too few peers vouch that this node remembers all that it did",
            expected=f"{answers_needed(size, colluding)} answers of the study's other nodes since the start, and "
                     f"{holders_needed(size, colluding)} that hold its acts, within {patience_s:g} s",
            hint="start the missing nodes of the study, then resume the run; see docs/operations.md") from None
    fresh.check_remembered()
