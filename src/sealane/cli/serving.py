"""Serving until told to stop: one line on stdout once ready, SIGTERM and Ctrl-C as a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import click

from sealane.cli.exits import INTERRUPTED
from sealane.cli.logs import prepare_logs
from sealane.cli.settings import settings_of
from sealane.core.memory import keep_freed_memory
from sealane.errors import SealaneError

T = TypeVar("T")
Ready = Callable[[T], Awaitable[tuple[dict[str, object], str]]]
"""Waits until what serves is of use, and returns the line about it as a document and as text."""


def serve(start: Callable[[], AbstractAsyncContextManager[T]], ready: Ready[T]) -> int:
    """Serve until SIGTERM (exit code 0) or Ctrl-C (130).

    Args:
        start: makes what serves for as long as its block lasts.
        ready: waits for it to be of use.

    Raises:
        SealaneError: it could not start, or could not go on.
    """
    settings = settings_of()
    prepare_logs(settings, serving=True)
    keep_freed_memory()
    try:
        return asyncio.run(_serve(start, ready, as_json=settings.as_json))
    except ExceptionGroup as several:
        refused = several.subgroup(SealaneError)
        if refused is None:
            raise
        raise _first(refused) from None


async def _serve(
    start: Callable[[], AbstractAsyncContextManager[T]], ready: Ready[T], *, as_json: bool
) -> int:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, stop, 0)
    loop.add_signal_handler(signal.SIGINT, stop, INTERRUPTED)
    async with start() as served, asyncio.TaskGroup() as tasks:
        announcing = tasks.create_task(_announce(ready(served), as_json=as_json))
        code = await stopped
        announcing.cancel()
    return code


def _first(group: ExceptionGroup[SealaneError]) -> SealaneError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


async def _announce(ready: Awaitable[tuple[dict[str, object], str]], *, as_json: bool) -> None:
    document, text = await ready
    with contextlib.suppress(BrokenPipeError):  # whoever waited for the line has gone; the work goes on
        click.echo(json.dumps(document) if as_json else text)
