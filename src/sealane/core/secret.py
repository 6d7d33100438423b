"""Bytes that do not print, do not pickle and compare in constant time."""

from __future__ import annotations

import hmac
from typing import Never


class Secret:
    """A secret byte string. ``reveal`` is the only way out, so every use of it can be found."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> Never:
        raise TypeError("a secret has no hash")

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    def __reduce__(self) -> Never:
        raise TypeError("a secret is never pickled")
