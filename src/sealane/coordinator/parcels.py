"""Parcels between nodes, passed on unread: whoever sends much waits, and nothing is kept for a node that is away."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sealane.coordinator.registry import Party
from sealane.core.ids import Fingerprint, fingerprint
from sealane.errors import ProtocolError
from sealane.rpc.notices import Parcel
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
WINDOW_SECONDS = 60.0
MOST_BYTES = 1 << 30
"""Of one sender in a window: two of the largest requests."""
MOST_PARCELS = 600
"""Of one sender in a window."""


@dataclass(slots=True)
class Parcels:
    """What is passed on, and how much of it came from whom lately.

    Attributes:
        send: puts a message into a node's outbox.
        connected: tells whether a node has a stream.
        now: seconds, monotonic.
    """

    send: Callable[[Fingerprint, Parcel], None]
    connected: Callable[[Fingerprint], bool]
    now: Callable[[], float]
    _lately: dict[Fingerprint, deque[tuple[float, int]]] = field(default_factory=dict)

    def pass_on(self, sender: Party, parcel: Parcel) -> bool:
        """Pass a parcel on to a node that is connected; False where it is dropped: the sender sends it again.

        Raises:
            ProtocolError: it is in another's name; that ends the sender's stream.
        """
        if fingerprint(parcel.public_key) != sender.fingerprint:
            raise ProtocolError("parcel.of-another", "a node sent a parcel in another's name", got=sender.name)
        if not self.connected(parcel.recipient) or parcel.recipient == sender.fingerprint:
            return False
        if not self._within(sender.fingerprint, len(parcel.body)):
            log(_LOG, "parcel.too-much", node=sender.name, kind=parcel.kind)
            return False
        self.send(parcel.recipient, parcel)
        return True

    def _within(self, sender: Fingerprint, size: int) -> bool:
        lately, now = self._lately.setdefault(sender, deque()), self.now()
        while lately and lately[0][0] < now - WINDOW_SECONDS:
            lately.popleft()
        if len(lately) >= MOST_PARCELS or sum(bytes_ for _, bytes_ in lately) + size > MOST_BYTES:
            return False
        lately.append((now, size))
        return True
