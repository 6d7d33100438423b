"""What every member of an attempt says once: kept until all of them have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from sealane.core.ids import Fingerprint
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt

M = TypeVar("M")
E = TypeVar("E")


class FromEach(Generic[M, E]):
    """One message of each member, and what all are told of it.

    Args:
        attempt: whose members.
        entry_of: returns what all are told of a member's message, or raises ProtocolError where it does not fit.
    """

    def __init__(self, attempt: Attempt, entry_of: Callable[[Attempt, Fingerprint, M], E]) -> None:
        self.attempt = attempt
        self.messages: dict[Fingerprint, M] = {}
        self._entries: dict[Fingerprint, E] = {}
        self._entry_of = entry_of

    @property
    def missing(self) -> frozenset[Fingerprint]:
        """Who has not said it yet."""
        return self.attempt.cohort - self.messages.keys()

    @property
    def entries(self) -> tuple[E, ...]:
        """What all are told, in order of the members."""
        return tuple(entry for _, entry in sorted(self._entries.items()))

    def add(self, sender: Fingerprint, message: M) -> bool:
        """Take in a member's message; False where it was there already.

        Raises:
            ProtocolError: it does not fit the attempt, or the sender said something else before.
        """
        known = self.messages.get(sender)
        if known is not None:
            if known != message:
                raise ProtocolError("run.equivocation", "node answered twice with different bytes",
                                    got=f"node {sender}")
            return False
        self._entries[sender] = self._entry_of(self.attempt, sender, message)
        self.messages[sender] = message
        return True
