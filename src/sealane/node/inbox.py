"""Where a run's messages wait until the step that needs them asks."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from sealane.errors import ProtocolError

M = TypeVar("M")
LARGEST_HELD = 1024
"""How many messages wait at once: it bounds what a coordinator that lies can make a node keep."""


class Inbox:
    """Holds the first message of each kind and number; later copies are dropped, so that duplicates are harmless."""

    def __init__(self) -> None:
        self._held: dict[tuple[type, int], object] = {}
        self._taken: set[tuple[type, int]] = set()
        self._awaited: dict[tuple[type, int], asyncio.Future[object]] = {}
        self._floor = -1  # the number before the first exchange is that of the introductions

    def put(self, message: object, number: int) -> None:
        """Take in a message, unless its exchange is over or one like it is here already.

        Raises:
            ProtocolError: too many are here that nobody has asked for.
        """
        key = (type(message), number)
        if number < self._floor or key in self._held or key in self._taken:
            return
        if len(self._held) >= LARGEST_HELD and key not in self._awaited:
            raise ProtocolError("run.too-many-waiting", "too many messages wait for exchanges to come",
                                got=len(self._held), expected=f"at most {LARGEST_HELD}",
                                hint="the coordinator runs ahead of the cohort, or lies")
        self._held[key] = message
        waiting = self._awaited.pop(key, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    async def take(self, kind: type[M], number: int) -> M:
        """Wait for the message of a kind and number, and hand it over: it can be taken once."""
        key = (kind, number)
        if key not in self._held:
            waiting = self._awaited.setdefault(key, asyncio.get_running_loop().create_future())
            await waiting
        message = self._held.pop(key)
        self._taken.add(key)
        assert isinstance(message, kind)
        return message

    def finished(self, number: int) -> None:
        """Forget all messages of exchanges up to ``number``."""
        self._floor = number + 1
        self._held = {key: message for key, message in self._held.items() if key[1] > number}
        self._taken = {key for key in self._taken if key[1] > number}
