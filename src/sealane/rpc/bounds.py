"""Checks on fields that came from another party, before anything else touches them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from sealane.core.ids import FINGERPRINT, NAME, RUN_ID, Fingerprint
from sealane.errors import ProtocolError

Items = TypeVar("Items", bound=Collection[object])
MAXIMUM_MEMBERS = 1024
MAXIMUM_TEXT = 2000
MAXIMUM_NUMBER = 1_000_000
"""Of attempts and exchanges; no study allows so many rounds."""


def exact(data: bytes, length: int, what: str) -> bytes:
    """Return ``data`` if it has exactly ``length`` bytes.

    Raises:
        ProtocolError: it has not.
    """
    if len(data) != length:
        raise ProtocolError("wire.wrong-length", f"{what} has the wrong length", got=f"{len(data)} bytes",
                            expected=f"{length} bytes")
    return data


def none_or(data: bytes, length: int, what: str) -> bytes:
    """Return ``data`` if it is empty or has exactly ``length`` bytes.

    Raises:
        ProtocolError: it has another length.
    """
    return exact(data, length, what) if data else data


def at_most(items: Items, limit: int, what: str) -> Items:
    """Return ``items`` if there are no more than ``limit``.

    Raises:
        ProtocolError: there are more.
    """
    if len(items) > limit:
        raise ProtocolError("wire.too-many", f"too many {what}", got=len(items), expected=f"at most {limit}")
    return items


def number(value: int, what: str) -> int:
    """Return the number of an attempt or an exchange.

    Raises:
        ProtocolError: it is beyond any that a study allows.
    """
    if not 0 <= value < MAXIMUM_NUMBER:
        raise ProtocolError("wire.out-of-range", f"{what} is out of range", got=value,
                            expected=f"0 to {MAXIMUM_NUMBER - 1}")
    return value


def text(value: str, what: str, limit: int = MAXIMUM_TEXT) -> str:
    """Return a text of bounded length, printable but for spaces and line ends.

    Raises:
        ProtocolError: too long, or it holds control characters.
    """
    if len(value) > limit or not all(c.isprintable() or c == "\n" for c in value):
        raise ProtocolError("wire.bad-text", f"{what} is not acceptable text", got=f"{len(value)} characters",
                            expected=f"at most {limit}, printable")
    return value


def party_fingerprint(value: str) -> Fingerprint:
    """Return a fingerprint in its canonical form.

    Raises:
        ProtocolError: it is not one.
    """
    if not FINGERPRINT.fullmatch(value):
        raise ProtocolError("wire.bad-fingerprint", "not a fingerprint", got=repr(value[:60]))
    return Fingerprint(value)


def party_name(value: str) -> str:
    """Return a legal name of a party.

    Raises:
        ProtocolError: it is not one.
    """
    if not NAME.fullmatch(value):
        raise ProtocolError("wire.bad-name", "not a legal name", got=repr(value[:60]), expected=NAME.pattern)
    return value


def run_id(value: str) -> str:
    """Return a well-formed run id.

    Raises:
        ProtocolError: it is not one.
    """
    if not RUN_ID.fullmatch(value):
        raise ProtocolError("wire.bad-run-id", "not a run id", got=repr(value[:40]), expected=RUN_ID.pattern)
    return value
