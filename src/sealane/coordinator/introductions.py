"""The introductions of one attempt, as the coordinator sees them: kept until all are there, then passed on."""

from __future__ import annotations

from sealane.coordinator.from_each import FromEach
from sealane.core.ids import Fingerprint
from sealane.secagg.attempt import Attempt
from sealane.secagg.introduction import entry_of
from sealane.secagg.messages import Introduced, Introduction, IntroductionEntry


class Introductions(FromEach[Introduction, IntroductionEntry]):
    """What members of an attempt encapsulated to each other."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt, entry_of)

    def told(self, member: Fingerprint) -> Introduced | None:
        """Return what a member is told once all are there."""
        if self.missing:
            return None
        return Introduced(self.attempt.run_id, self.attempt.number, self.entries,
                          {f: said.sealed[member] for f, said in sorted(self.messages.items()) if f < member})
