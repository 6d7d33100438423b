"""The exchanges of one attempt, as the coordinator sees them: what arrived, what was relayed, what may be forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sealane.coordinator.correspondence import Written
from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    Relayed,
    SumState,
    accept_contribution,
    accept_release,
    announced_of,
    announcement,
    opening,
)
from sealane.secagg.messages import Arrival, Contribution, Delivery, Letters, Opening, Proposal, Release
from sealane.secagg.scheme import get_scheme
from sealane.secagg.unsecured import NAME as UNSECURED

Relay = Arrival | Opening | Proposal | Delivery
LARGEST_HELD = 256
"""How many exchanges are held at once: it bounds what a node that lies can make the coordinator keep."""


@dataclass(slots=True)
class Exchanges:
    """All exchanges of one attempt that some node may still need.

    Attributes:
        settled: number of the last exchange that every member has contributed to, -1 before there is one.
        accepted, duplicate, late: how many messages of each kind came.
    """

    attempt: Attempt
    sums: dict[int, SumState] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    early: dict[tuple[int, Fingerprint], Release] = field(default_factory=dict)
    letters: dict[int, Written] = field(default_factory=dict)
    settled: int = -1
    accepted: int = 0
    duplicate: int = 0
    late: int = 0

    @property
    def cohort(self) -> tuple[Fingerprint, ...]:
        """The members, in order."""
        return tuple(member.fingerprint for member in self.attempt.members)

    def contribute(self, sender: Fingerprint, message: Contribution) -> Iterator[tuple[Fingerprint, Relay]]:
        """Take in a contribution; when it is the last, announce all."""
        before = self._sum(message.exchange)
        if before is None:
            return
        _check_ahead(sender, message.exchange, (n for n, state in self.sums.items() if isinstance(state, Gathering)
                                                and sender in state.arrived))
        after = accept_contribution(before, sender, message)
        self._count(before, after)
        self.sums[message.exchange] = after
        if isinstance(before, Gathering) and not isinstance(after, Gathering):
            self._settle(message.exchange)
            for member in self.cohort:
                yield member, announcement(announced_of(after), member)
            for member in self.cohort:
                released = self.early.pop((message.exchange, member), None)
                if released is not None:
                    yield from self.release(member, released)

    def release(self, sender: Fingerprint, message: Release) -> Iterator[tuple[Fingerprint, Relay]]:
        """Take in sealed shares; when they are the last, relay all."""
        before = self._sum(message.exchange)
        if before is None:
            return
        if isinstance(before, Gathering):
            # After this process was restarted, a node repeats its release before the others repeat contributions.
            _check_ahead(sender, message.exchange, (number for number, node in self.early if node == sender))
            self.early.setdefault((message.exchange, sender), message)
            return
        after = accept_release(before, sender, message)
        self._count(before, after)
        self.sums[message.exchange] = after
        if isinstance(after, Relayed) and isinstance(before, Announced):
            yield from self._relay(after)

    def hasten(self) -> Iterator[tuple[Fingerprint, Relay]]:
        """Open what can be opened without the nodes that have not released."""
        for number, state in list(self.sums.items()):
            if isinstance(state, Announced) and state.enough:
                self.sums[number] = relayed = Relayed(state)
                yield from self._relay(relayed)

    def _relay(self, state: Relayed) -> Iterator[tuple[Fingerprint, Relay]]:
        for member in self.cohort:
            yield member, opening(state.announced, member)

    def propose(self, sender: Fingerprint, message: Proposal) -> Iterator[tuple[Fingerprint, Relay]]:
        """Take in the first member's proposal and pass it on.

        Raises:
            ProtocolError: it comes from another member, or differs from the one before.
        """
        if sender != self.attempt.first:
            raise ProtocolError("run.not-proposer", "a value was proposed by a node whose turn it is not",
                                got=f"node {sender}")
        self._check_held(message.exchange)
        known = self.proposals.get(message.exchange)
        if known is not None:
            if known != message:
                raise ProtocolError("run.equivocation", "node answered twice with different bytes",
                                    got=f"node {sender}")
            self.duplicate += 1
            return
        if message.exchange < self.settled:
            self.late += 1
            return
        self.accepted += 1
        self.proposals[message.exchange] = message
        for member in self.cohort:
            if member != self.attempt.first:
                yield member, message

    def write(self, sender: Fingerprint, message: Letters) -> Iterator[tuple[Fingerprint, Relay]]:
        """Take in a member's letters; when all members wrote, pass each what is for it.

        Raises:
            ProtocolError: the study secures its sums, or the letters do not fit the attempt.
        """
        if self.attempt.scheme != UNSECURED:
            raise ProtocolError("run.letters-refused", "a node wrote letters in a run that secures its sums",
                                got=f"node {sender}", expected="scheme none")
        self._check_held(message.exchange)
        if message.exchange < self.settled and message.exchange not in self.letters:
            self.late += 1
            return
        _check_ahead(sender, message.exchange, (n for n, one in self.letters.items()
                                                if one.missing and sender in one.messages))
        written = self.letters.setdefault(message.exchange, Written(self.attempt, message.exchange))
        if not written.add(sender, message):
            self.duplicate += 1
            return
        self.accepted += 1
        if not written.missing:
            self._settle(message.exchange)
            for member in self.cohort:
                told = written.told(member)
                if told is not None:
                    yield member, told

    def again(self, member: Fingerprint) -> Iterator[Relay]:
        """Repeat to one member everything it may have missed."""
        for written in self.letters.values():
            told = written.told(member)
            if told is not None:
                yield told
        for number in sorted({*self.sums, *self.proposals}):
            if number in self.proposals:
                if member != self.attempt.first:
                    yield self.proposals[number]
                continue
            state = self.sums[number]
            if not isinstance(state, Gathering):
                yield announcement(announced_of(state), member)
            if isinstance(state, Relayed) and state.announced.openers:
                yield opening(state.announced, member)

    @property
    def fixed(self) -> bool:
        """Whether something may open, so that members begin no other attempt: with key shares, from an upload on."""
        return self.settled >= 0 or (bool(self.sums) and not get_scheme(self.attempt.scheme).whole_cohort)

    @property
    def begun(self) -> bool:
        """Whether a message of any exchange has come."""
        return bool(self.sums or self.proposals or self.early or self.letters)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who the oldest unfinished sum waits for; everybody where none is under way: then all compute."""
        states: dict[int, SumState | Written] = {**self.sums, **self.letters}
        unfinished = (states[number].missing for number in sorted(states) if states[number].missing)
        return next(unfinished, frozenset(self.cohort))

    @property
    def finished(self) -> int:
        """How many exchanges are over."""
        newest = max([*self.sums, *self.proposals, *self.letters], default=-1)
        wrote = newest in self.letters and not self.letters[newest].missing
        whole = wrote or newest in self.proposals or isinstance(self.sums.get(newest), Relayed)
        return newest + 1 if whole else max(newest, 0)

    def _sum(self, number: int) -> SumState | None:
        """Return the state of a sum, or None where it is over and forgotten."""
        self._check_held(number)
        if number < self.settled and number not in self.sums:
            self.late += 1
            return None
        return self.sums.get(number) or Gathering(self.attempt)

    def _check_held(self, number: int) -> None:
        held = {*self.sums, *self.proposals, *self.letters, *(n for n, _ in self.early), number}
        if len(held) > LARGEST_HELD:
            raise ProtocolError("run.exchange-ahead", "too many exchanges are open at once", got=len(held),
                                expected=f"at most {LARGEST_HELD}", hint="a node runs ahead of the cohort, or lies")

    def _count(self, before: SumState, after: SumState) -> None:
        if before is after:
            self.duplicate += 1
        else:
            self.accepted += 1

    def _settle(self, number: int) -> None:
        """A member that contributed to ``number`` has opened everything before it: forget that."""
        self.settled = max(self.settled, number)
        self.sums = {n: s for n, s in self.sums.items() if n >= self.settled}
        self.proposals = {n: p for n, p in self.proposals.items() if n >= self.settled}
        self.early = {key: r for key, r in self.early.items() if key[0] >= self.settled}
        self.letters = {n: written for n, written in self.letters.items() if n >= self.settled}


def _check_ahead(sender: Fingerprint, number: int, held: Iterable[int]) -> None:
    """Refuse a third unfinished sum of one node: it contributes to one, and may repeat the one before."""
    others = set(held) - {number}
    if len(others) > 1:
        raise ProtocolError("run.exchange-ahead", "too many exchanges are open at once",
                            got=f"node {sender} in {len(others) + 1}", expected="at most 2",
                            hint="a node runs ahead of the cohort, or lies")
