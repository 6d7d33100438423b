"""Counts failed attempts, for each source and over all, and says when to stop listening for a while.

The token has 256 bits, so guessing is hopeless; the limit keeps guesses from costing anything. It lives in memory: a
restart forgives.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from sealane.core.clock import Clock
from sealane.errors import UnavailableError

WINDOW = timedelta(minutes=10)
MOST_PER_SOURCE = 10
MOST_OVERALL = 200
_MOST_SOURCES = 4096


class FailureLimiter:
    """Sliding windows of failures, one for each source and one for all; bounded in memory."""

    def __init__(self, clock: Clock, *, window: timedelta = WINDOW, per_source: int = MOST_PER_SOURCE,
                 overall: int = MOST_OVERALL) -> None:
        self._clock = clock
        self._window = window
        self._per_source = per_source
        self._overall = overall
        self._all: deque[datetime] = deque(maxlen=overall)
        self._sources: OrderedDict[str, deque[datetime]] = OrderedDict()

    def check(self, source: str) -> None:
        """Refuse a source that failed too often, or everyone while too many failed.

        Raises:
            UnavailableError: try again once the window has passed.
        """
        since = self._clock() - self._window
        for times, most in ((self._sources.get(source), self._per_source), (self._all, self._overall)):
            if times is not None and sum(time > since for time in times) >= most:
                raise UnavailableError("enrolment.rate-limited", "too many failed attempts to enrol",
                                       expected=f"fewer than {most} in {self._window}",
                                       hint="wait, then try again with a fresh invitation")

    def failed(self, source: str) -> None:
        """Count a failure."""
        now = self._clock()
        self._all.append(now)
        self._sources.setdefault(source, deque(maxlen=self._per_source)).append(now)
        self._sources.move_to_end(source)
        while len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)
