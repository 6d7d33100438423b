"""The letters of one exchange, as the coordinator sees them: kept until all members wrote, then passed on unread."""

from __future__ import annotations

from sealane.coordinator.from_each import FromEach
from sealane.core.ids import Fingerprint
from sealane.secagg.attempt import Attempt
from sealane.secagg.letters import check_letters
from sealane.secagg.messages import Delivery, Letters, LettersEntry


class Written(FromEach[Letters, LettersEntry]):
    """What members wrote in one exchange."""

    def __init__(self, attempt: Attempt, exchange: int) -> None:
        super().__init__(attempt, check_letters)
        self._exchange = exchange

    def told(self, member: Fingerprint) -> Delivery | None:
        """Return what a member is told once all wrote."""
        if self.missing:
            return None
        sealed = {f: said.sealed[member] for f, said in sorted(self.messages.items()) if member in said.sealed}
        return Delivery(self.attempt.run_id, self.attempt.number, self._exchange, self.entries, sealed)
