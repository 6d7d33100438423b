"""Running a coroutine to its end from anywhere, also from inside a running loop such as a notebook's."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_here(work: Coroutine[Any, Any, T]) -> T:
    """Run in this thread, so that breakpoints and tracebacks are where one expects them.

    Inside a running loop a second loop runs nested: the outer one stands still until this returns, as it does for any
    other blocking call in a notebook's cell.
    """
    outer = events._get_running_loop()
    if outer is None:
        return asyncio.run(work)
    events._set_running_loop(None)
    inner = asyncio.new_event_loop()
    try:
        return inner.run_until_complete(work)
    finally:
        inner.close()
        events._set_running_loop(outer)
