"""The letters of one attempt, as the coordinator sees them: kept until all members wrote, then passed on unread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.letters import check_letters
from sealane.secagg.messages import Delivery, Letters, LettersEntry


@dataclass(slots=True)
class Written:
    """What members wrote in one exchange."""

    attempt: Attempt
    messages: dict[Fingerprint, Letters] = field(default_factory=dict)
    entries: dict[Fingerprint, LettersEntry] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not written."""
        return self.attempt.cohort - self.messages.keys()

    def add(self, sender: Fingerprint, message: Letters) -> bool:
        """Take in a member's letters; False where they were there already.

        Raises:
            ProtocolError: they do not fit the attempt, or the sender wrote others before.
        """
        known = self.messages.get(sender)
        if known is not None:
            if known != message:
                raise ProtocolError("run.equivocation", "node answered twice with different bytes",
                                    got=f"node {sender}")
            return False
        self.entries[sender] = check_letters(self.attempt, sender, message)
        self.messages[sender] = message
        return True

    def told(self) -> Iterator[tuple[Fingerprint, Delivery]]:
        """Give what each member is told once all wrote."""
        if self.missing:
            return
        order = [member.fingerprint for member in self.attempt.members]
        entries = tuple(self.entries[f] for f in order)
        exchange = self.messages[order[0]].exchange
        for member in order:
            yield member, Delivery(
                self.attempt.run_id, self.attempt.number, exchange, entries,
                {f: self.messages[f].sealed[member] for f in order if member in self.messages[f].sealed})
