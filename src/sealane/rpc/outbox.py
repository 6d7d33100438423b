"""What waits to be written to a stream: bounded by bytes, so that a peer that does not read cannot fill the memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from sealane.rpc.frames import Outgoing

MAXIMUM_WAITING_BYTES = 1 << 30


class Outbox:
    """Messages in the order they were put, read frame by frame. Belongs to one loop."""

    def __init__(self, limit: int = MAXIMUM_WAITING_BYTES) -> None:
        self._limit = limit
        self._messages: deque[Outgoing] = deque()
        self._waiting = 0
        self._filled = asyncio.Event()
        self.closed = False

    def put(self, message: Outgoing) -> bool:
        """Add a message. Past the limit the outbox closes and ends the stream: the peer comes back and catches up."""
        if self.closed:
            return False
        self._waiting += message.size
        if self._waiting > self._limit:
            self.close()
            return False
        self._messages.append(message)
        self._filled.set()
        return True

    def close(self) -> None:
        """Let the reader end."""
        self.closed = True
        self._filled.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the frames as they come, until the outbox is closed."""
        while not self.closed:
            while self._messages:
                message = self._messages.popleft()
                self._waiting -= message.size
                for frame in message.frames():
                    yield frame
                    del frame  # or its megabyte, and the whole message, would be held until there is another
                del message
            self._filled.clear()
            if not self._messages and not self.closed:
                await self._filled.wait()
