"""The collectives as a computation at this node sees them: ``sum`` and ``agree`` over messages and a journal.

Each call is one exchange. What the journal already holds of an exchange is used as it stands, so a computation that
is started again after a crash runs through its finished exchanges without sending anything anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sealane.core.entropy import random_bytes, random_secret
from sealane.core.ids import Fingerprint
from sealane.core.octets import Octets, Within, stretch, whole
from sealane.core.secret import Secret
from sealane.crypto.derivation import derive
from sealane.errors import InputError, RefusedError
from sealane.node.inbox import Inbox
from sealane.node.journal import Journal
from sealane.node.journal_rows import ExchangeRow
from sealane.secagg.layout import Layout, decode, encode, plan, read_vector
from sealane.secagg.letters import NONCE_BYTES
from sealane.secagg.messages import Arrival, Contribution, Delivery, Letters, Opening, Proposal, Release
from sealane.secagg.node_role import Contributed, NodeRole, Opened, after_agreement, after_sum
from sealane.secagg.terms import Term
from sealane.secagg.transcript import Transcript
from sealane.secagg.unsecured import NAME as UNSECURED

BINDER_BYTES = 32
"""What the journal holds behind each opened total."""
ADDENDS_BYTES = 4
"""What it holds before it: how many vectors were summed."""
Exchanged = Contribution | Release | Proposal | Letters
_AGREEMENT = b""
"""What the journal holds in place of a description's hash where a value was agreed on."""
_LETTERS = b"letters"
"""The same, where members wrote to each other."""


class RoundGate(Protocol):
    """What is asked before every round and before every release."""

    def check_round(self, number: int) -> None:
        """Raise RefusedError unless the agreement still allows this round."""

    def check_release(self, survivors: frozenset[Fingerprint]) -> None:
        """Raise RefusedError unless the sum of these may be answered; remember on disk that it was."""

    def charge(self, number: int, layout: Layout | None) -> None:
        """Charge a sum on disk, before the first byte that helps to open it leaves, or raise RefusedError.

        Without a layout: letters, which no noise protects.
        """


class NodeCohort:
    """The cohort of one attempt, from inside one node.

    Attributes:
        transcript: of everything so far.
        opened: whether a sum was opened: then every member has all introductions.
    """

    def __init__(
        self,
        role: NodeRole,
        journal: Journal,
        gate: RoundGate,
        inbox: Inbox,
        post: Callable[[Exchanged], None],
        *,
        minimum_count: int,
        names: Mapping[str, str],
        waived: frozenset[str],
        rounding_key: Secret,
        transcript: Transcript,
    ) -> None:
        self._role = role
        self._journal = journal
        self._gate = gate
        self._inbox = inbox
        self._post = post
        self._minimum_count = minimum_count
        self._peers = {names[m.fingerprint]: m.fingerprint for m in role.attempt.members if m.fingerprint != role.own}
        self._names = tuple(sorted(names[member.fingerprint] for member in role.attempt.members))
        self._place = self._names.index(names[role.own])
        self._exposed = role.attempt.cohort <= waived
        self._rounding_key = rounding_key
        self._number = 0
        self._common: Secret | None = None  # what all members know since the last sum, where one opens for all only
        self._unsettled: list[Exchanged] = []
        self.transcript = transcript
        self.opened = False

    @property
    def size(self) -> int:
        """Number of institutions whose rows are summed."""
        return self._role.attempt.size

    @property
    def honest(self) -> int:
        """Fewest shares of noise in a sum that no colluder knows."""
        return self._role.attempt.smallest - self._role.attempt.colluding

    @property
    def minimum_count(self) -> int:
        """Fewest rows that may stand behind a released cell."""
        return self._minimum_count

    @property
    def smallest(self) -> int:
        """Fewest institutions for which a sum is opened."""
        return self._role.attempt.smallest

    @property
    def exposed(self) -> bool:
        """Whether every member waived that its own contribution may become computable."""
        return self._exposed

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, sorted."""
        return self._names

    @property
    def place(self) -> int:
        """This node's own place among them."""
        return self._place

    @property
    def unsettled(self) -> tuple[Exchanged, ...]:
        """What was sent since the last opened sum, itself included: what a coordinator that lost it may need again."""
        return tuple(self._unsettled)

    async def sum(self, terms: Mapping[str, Term]) -> dict[str, NDArray[Any]]:
        """Return the cohort's sum of each term. See :class:`sealane.computations.base.Cohort`."""
        number = self._next()
        attempt = self._role.attempt
        layout = plan(terms, self.size, smallest=attempt.smallest, colluding=attempt.colluding)
        known = self._known(number, layout.hash())
        if known is not None and known.total is not None and known.digest is not None:
            return self._replay(number, layout, terms, known, known.total, known.digest)
        self._gate.check_round(number)
        if self._common is not None:
            return await self._sum_on_arrival(number, layout, terms, known, self._common)
        state = self._contribute(number, layout, terms, known)
        if not self._role.scheme.whole_cohort:
            self._before_upload(number, layout)
        self._send(state.message)
        if known is not None and known.digest is not None and known.share is not None:
            self._send(self._role.seal(state, known.digest, known.share))
        released = self._role.release(state, await self._inbox.take(Arrival, number))
        self._gate.check_round(number)
        self._gate.check_release(released.survivors)
        self._gate.charge(number, layout)  # charged already where the upload was the point of no return
        share = self._journal.released(self._run, self._attempt, number, released.digest, released.share,
                                       whole_cohort=self._role.scheme.whole_cohort)
        if known is None or known.digest is None:
            self._send(released.message)
        opened = self._role.open(replace(released, share=share), await self._inbox.take(Opening, number))
        return self._keep(number, layout, terms if self._role.own in released.survivors else None, opened,
                          len(released.survivors))

    def _before_upload(self, number: int, layout: Layout) -> None:
        """Put on disk what may open from here on: that the cohort is answered, its charge, and no other attempt.

        Shares of the key go with the upload, and those who hold them may open the sum while this node hears nothing.
        """
        self._gate.check_release(self._role.attempt.cohort)
        self._gate.charge(number, layout)
        self._journal.fix_attempt(self._run)

    async def _sum_on_arrival(self, number: int, layout: Layout, terms: Mapping[str, Term], known: ExchangeRow | None,
                              common: Secret) -> dict[str, NDArray[Any]]:
        """Sum in one step: a contribution alone helps to open, so all is asked before it leaves."""
        state = self._contribute(number, layout, terms, known, common)
        self._gate.check_release(self._role.attempt.cohort)
        self._gate.charge(number, layout)
        self._send(state.message)
        opened = self._role.open_on_arrival(state, await self._inbox.take(Arrival, number))
        return self._keep(number, layout, terms, opened, self.size)

    def _keep(self, number: int, layout: Layout, own: Mapping[str, Term] | None, opened: Opened,
              addends: int) -> dict[str, NDArray[Any]]:
        self._journal.opened(self._run, self._attempt, number, opened.digest,
                             addends.to_bytes(ADDENDS_BYTES, "big"), opened.written, opened.binder)
        self._go_on(number, opened.transcript, opened.binder)
        return decode(layout, opened.total, addends, own=own, overwrite=True)

    def _go_on(self, number: int, transcript: Transcript, binder: bytes) -> None:
        self.transcript = transcript
        if self._role.scheme.whole_cohort:
            self._common = Secret(binder)
        self._settle(number)

    async def agree(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Settle a public array. See :class:`sealane.computations.base.Cohort`."""
        number = self._next()
        own = np.asarray(values, dtype=np.float64)
        if not np.isfinite(own).all():
            raise InputError("agree.not-finite", "a value to agree on is not finite", expected="finite numbers")
        known = self._known(number, _AGREEMENT)
        proposer = self._role.own == self._role.attempt.first
        if known is not None and known.total is not None:
            if len(known.total) != 8 * own.size:
                raise _differs(number)
            agreed = np.frombuffer(whole(known.total), "<f8").reshape(own.shape).astype(np.float64)
        elif proposer:
            self._gate.check_round(number)
            agreed = own
        else:
            self._gate.check_round(number)
            agreed = self._role.adopt(number, self.transcript, own, await self._inbox.take(Proposal, number))
        value = agreed.astype("<f8").tobytes()
        if known is None:
            keep = self._journal.proposed if proposer else self._journal.adopted
            keep(self._run, self._attempt, number, value)
        if proposer:
            self._send(self._role.propose(number, self.transcript, value))
        self.transcript = after_agreement(number, self.transcript, value)
        return agreed

    async def correspond(self, letters: Mapping[str, bytes]) -> dict[str, bytes]:
        """Write to single members. See :class:`sealane.computations.base.Cohort`."""
        number, attempt = self._next(), self._role.attempt
        if attempt.scheme != UNSECURED:
            raise RefusedError("cohort.letters-refused", "a study that secures its sums passes no letters",
                               got=attempt.scheme, expected="scheme none", hint="letters show what each node says")
        to = {self._peers[name]: text for name, text in letters.items()}
        self._gate.check_round(number)
        if self._known(number, _LETTERS) is not None:
            raise RefusedError("cohort.letters-lost", "the node was stopped in mid-run, and letters cannot be repeated",
                               got=f"exchange {number}", hint="start another run: this one has no checkpoint")
        self._gate.check_release(attempt.cohort)
        self._gate.charge(number, None)
        nonce = random_bytes(NONCE_BYTES)
        written = self._role.write(number, self.transcript, to, nonce)
        self._journal.wrote(self._run, self._attempt, number, _LETTERS)
        self._send(written)
        opened, self.transcript = self._role.read(written, self.transcript, nonce,
                                                  await self._inbox.take(Delivery, number))
        self._settle(number)
        by_fingerprint = {fingerprint: name for name, fingerprint in self._peers.items()}
        return {by_fingerprint[sender]: text for sender, text in opened.items()}

    @property
    def _run(self) -> str:
        return self._role.attempt.run_id

    @property
    def _attempt(self) -> int:
        return self._role.attempt.number

    def _next(self) -> int:
        number = self._number
        self._number += 1
        return number

    def _known(self, number: int, description_hash: bytes) -> ExchangeRow | None:
        known = self._journal.exchange(self._run, self._attempt, number)
        if known is not None and known.description_hash != description_hash:
            raise _differs(number)
        return known

    def _contribute(
        self, number: int, layout: Layout, terms: Mapping[str, Term], known: ExchangeRow | None,
        common: Secret | None = None,
    ) -> Contributed:
        if known is not None and known.seed is not None and known.payload is not None:
            return self._role.restore(number, self.transcript, layout, known.seed, known.payload,
                                      common=common is not None)
        rounding = derive(self._rounding_key, "rounding", str(number).encode())
        vector = encode(layout, terms, rounding)
        state = self._role.contribute(number, self.transcript, layout, vector, common or random_secret(),
                                      common=common is not None)
        kept = self._journal.contributed(self._run, self._attempt, number, layout.hash(), state.seed,
                                         state.message.payload, on_arrival=common is not None)
        return replace(state, message=replace(state.message, payload=kept))

    def _replay(
        self, number: int, layout: Layout, terms: Mapping[str, Term], known: ExchangeRow, total: Octets, digest: bytes
    ) -> dict[str, NDArray[Any]]:
        """Take an opened total from the journal; the last one's messages are made again for peers that lag."""
        if known.seed is not None and known.payload is not None:
            state = self._contribute(number, layout, {}, known, self._common)
            self._send(state.message)
            if known.share is not None:
                self._send(self._role.seal(state, digest, known.share))
        end = len(total) - BINDER_BYTES
        addends = int.from_bytes(stretch(total, 0, ADDENDS_BYTES), "big")
        written, binder = Within(total, ADDENDS_BYTES, end), bytes(stretch(total, end, len(total)))
        bound = self._role.sum(number, self.transcript, layout).transcript
        self._go_on(number, after_sum(bound, digest, written, binder), binder)
        own = terms if addends == self.size else None  # of fewer it is not on disk whether this node is among them
        return decode(layout, read_vector(layout, written), addends, own=own, overwrite=True)

    def _send(self, message: Exchanged | None) -> None:
        if message is not None:
            self._unsettled.append(message)
            self._post(message)

    def _settle(self, number: int) -> None:
        self.opened = True
        self._unsettled = [message for message in self._unsettled if message.exchange >= number]
        self._inbox.finished(number)


def _differs(number: int) -> RefusedError:
    return RefusedError("run.replay-differs", "the same round is described differently after a restart",
                        got=f"exchange {number}", hint="the node's version or its data changed in mid-run")
