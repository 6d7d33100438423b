"""The door through which time comes in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the present moment, aware, in UTC."""


def system_clock() -> datetime:
    """Return the machine's present time in UTC."""
    return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is moved: for tests and simulation."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """Return the moment the clock stands at."""
        return self.now

    def advance(self, step: timedelta) -> None:
        """Move forward (or back, with a negative step)."""
        self.now += step


def to_text(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read what :func:`to_text` wrote.

    Raises:
        ValueError: not an RFC 3339 moment with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"out of range in UTC: {text!r}") from error


def is_moment(text: str) -> bool:
    """Return whether a text is exactly what :func:`to_text` writes."""
    try:
        return to_text(from_text(text)) == text
    except ValueError:
        return False
