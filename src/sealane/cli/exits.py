"""Exit codes beside those of the error branches."""

from __future__ import annotations

UNEXPECTED = 1
USAGE = 2
INTERRUPTED = 130
"""Ended by Ctrl-C: 128 and the signal's number, as shells have it."""
PIPE_CLOSED = 141
"""Whoever read the output has gone; 128 and the number of SIGPIPE."""
