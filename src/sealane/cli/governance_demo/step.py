"""One step of the demo: who did what, with which command, what came of it, and whether that is what should have."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sealane.errors import UnavailableError

T = TypeVar("T")
ARRIVAL_SECONDS = 15.0
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to.

    Attributes:
        name: one word, for machines.
        who: institution or person who acts.
        title: what is done, in a few words.
        commands: what somebody would type for it.
        said: what came of it, in lines for people.
        ok: whether it is what should have happened, as checked from ``found``.
        found: the same for machines.
        seconds: how long it took.
    """

    name: str
    who: str
    title: str
    commands: tuple[str, ...]
    said: tuple[str, ...]
    ok: bool
    found: dict[str, Any]
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the step as JSON-ready values."""
        return asdict(self) | {"commands": list(self.commands), "said": list(self.said)}


def awaited(ask: Callable[[], T], there: Callable[[T], bool], what: str) -> T:
    """Return what a call answers once it is there: what one party says reaches the next on a stream of its own.

    Raises:
        UnavailableError: it did not come in time.
    """
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while not there(found := ask()):
        if time.monotonic() > deadline:
            raise UnavailableError("demo.step-late", f"{what} did not arrive", expected=f"within {ARRIVAL_SECONDS:g} s",
                                   hint="the machine may be very busy: try again, with --keep to look at the logs")
        time.sleep(PAUSE_SECONDS)
    return found
