"""What a node keeps of a secure sum between two messages: bytes in its app's context, which outlives a process.

Secrets are among them: Flower keeps a context at the node, and never sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import ProtocolError

SUM, NODE = "sealane.sum", "sealane.node"


class Kept:
    """One record of a context.

    Args:
        state: the context's records.
        name: of the record.
        record: makes one of a mapping.
    """

    def __init__(self, state: Any, name: str, record: Any) -> None:
        self._state, self._name, self._record = state, name, record

    def get(self, key: str) -> Any:
        """Return a value; None where there is none."""
        return self._state[self._name].get(key) if self._name in self._state else None

    def need(self, key: str, step: str) -> Any:
        """Return a value.

        Raises:
            ProtocolError: an earlier step did not leave it.
        """
        value = self.get(key)
        if value is None:
            raise out_of_order(step)
        return value

    def keep(self, **values: Any) -> None:
        """Keep further values."""
        before = dict(self._state[self._name]) if self._name in self._state else {}
        self._state[self._name] = self._record({**before, **values})

    def forget(self) -> None:
        """Let go of all of it."""
        if self._name in self._state:
            del self._state[self._name]


def write_secrets(secrets: Mapping[Fingerprint, Secret]) -> list[bytes]:
    """Write secrets by peer, in order of fingerprint."""
    return [part for peer in sorted(secrets) for part in (peer.encode(), secrets[peer].reveal())]


def read_secrets(parts: list[bytes]) -> dict[Fingerprint, Secret]:
    """Read :func:`write_secrets`."""
    return {Fingerprint(peer.decode()): Secret(secret) for peer, secret in zip(parts[::2], parts[1::2], strict=True)}


def out_of_order(step: str) -> ProtocolError:
    """Return the error for a step that does not follow the one before."""
    return ProtocolError("flower.step-out-of-order", "a step of a secure sum came out of order", got=step[:40],
                         hint="the server half repeats a step, or this node lost its context")
