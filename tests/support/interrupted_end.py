"""The end of a local federation, interrupted by a signal at every line, call and return that it takes: a program."""

from __future__ import annotations

import contextlib
import itertools
import signal
import sys
from typing import Any

from sealane.cli import local_federation

PASSED = {local_federation.__file__, contextlib.__file__}


def main(number: int) -> None:
    """Interrupt one end after the other, each a moment later, until one is over first; print how many there were."""
    for moment in itertools.count():
        closed, came, held = end(number, moment)
        assert closed == [1], moment
        assert not held, moment
        if not came:
            print(moment)
            return


def end(number: int, moment: int) -> tuple[list[int], bool, bool]:
    """Return what was closed, whether the signal came, and whether Ctrl-C is still held back."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.default_int_handler)  # as in the middle of a larger block
    countdown, closed = iter(range(moment)), list[int]()

    def trace(frame: Any, event: str, value: object) -> Any:
        if frame.f_code.co_filename in PASSED and next(countdown, None) is None:
            sys.settrace(None)
            signal.raise_signal(number)
        return trace

    try:
        with local_federation.stopped_by_sigterm(), local_federation._closed_undisturbed() as stack:
            stack.callback(closed.append, 1)
            sys.settrace(trace)
    except KeyboardInterrupt:
        came = True
    else:
        came = False
    finally:
        sys.settrace(None)
    return closed, came, signal.getsignal(signal.SIGINT) is not signal.default_int_handler
