"""The introductions of one attempt, as the coordinator sees them: kept until all are there, then passed on."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.introduction import entry_of
from sealane.secagg.messages import Introduced, Introduction, IntroductionEntry


@dataclass(slots=True)
class Introductions:
    """What members of an attempt encapsulated to each other."""

    attempt: Attempt
    messages: dict[Fingerprint, Introduction] = field(default_factory=dict)
    entries: dict[Fingerprint, IntroductionEntry] = field(default_factory=dict)

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not introduced itself."""
        return self.attempt.cohort - self.messages.keys()

    def add(self, sender: Fingerprint, message: Introduction) -> bool:
        """Take in an introduction; False where it was there already.

        Raises:
            ProtocolError: it does not verify, or the sender said something else before.
        """
        known = self.messages.get(sender)
        if known is not None:
            if known != message:
                raise ProtocolError("run.equivocation", "node answered twice with different bytes",
                                    got=f"node {sender}")
            return False
        self.entries[sender] = entry_of(self.attempt, sender, message)
        self.messages[sender] = message
        return True

    def told(self, member: Fingerprint) -> Introduced | None:
        """Return what a member is told once all are there."""
        if self.missing:
            return None
        order = [m.fingerprint for m in self.attempt.members]
        return Introduced(self.attempt.run_id, self.attempt.number, tuple(self.entries[f] for f in order),
                          {f: self.messages[f].sealed[member] for f in order if f < member})
