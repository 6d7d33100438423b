"""Logs as JSON lines on standard error, built so that a value from a row has no way in.

An event is a fixed dotted name with a few scalar fields. Text made by others (another library's message, the message
of an exception that is not ours) is never written: only where it came from and of what type it was.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from sealane.errors import InputError, SealaneError

Field = str | int | float | bool
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
RESERVED = frozenset({"time", "level", "logger", "event", "error", "at"})
LONGEST_TEXT = 512
DEEPEST_TRACE = 8

_FIELDS = "sealane_fields"
_ERROR = "sealane_error"

# As a library Sealane says nothing until the program that uses it sets logging up.
logging.getLogger("sealane").addHandler(logging.NullHandler())


def get_logger(name: str) -> logging.Logger:
    """Return the logger of one part of Sealane; ``name`` is a module's ``__name__`` or a dotted suffix."""
    return logging.getLogger(name if name == "sealane" or name.startswith("sealane.") else f"sealane.{name}")


def log(
    logger: logging.Logger,
    event: str,
    /,
    *,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **fields: Field,
) -> None:
    """Write one event.

    Args:
        logger: from :func:`get_logger`.
        event: fixed dotted name, such as ``node.connected``; never assembled from values.
        level: of the ``logging`` module.
        error: what went wrong, if something did. Of an error that is not Sealane's only type and place are written.
        fields: metadata of the event, scalars only.

    Raises:
        TypeError: a field is not exactly text, integer, float or boolean (bytes, secrets and arrays are not), or
            takes a name that every line has.
    """
    for name, value in fields.items():
        # Exact types: numpy's float64 is a float too, and it is what a value of a row looks like.
        if type(value) not in (str, int, float, bool):
            raise TypeError(f"log field {name!r} is {type(value).__name__}, expected str, int, float or bool")
        if name in RESERVED:
            raise TypeError(f"log field {name!r} is a name that every line has")
    if logger.isEnabledFor(level):
        # The exception itself is not handed on: a handler that is not ours would print its text.
        described = None if error is None else describe(error)
        logger.log(level, event, extra={_FIELDS: fields, _ERROR: described}, stacklevel=2)


class JsonLines(logging.Formatter):
    """Turns a record into one line of JSON, without interpolating what a caller passed as arguments."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields: dict[str, Field] | None = getattr(record, _FIELDS, None)
        if fields is None:
            # Not written through log(): its text may hold anything, so only its origin is said.
            line |= {"event": "library.message", "at": f"{record.module}:{record.lineno}"}
        else:
            line |= {"event": record.msg} | {name: _plain(value) for name, value in fields.items()}
        described = getattr(record, _ERROR, None)
        if described is None and record.exc_info and record.exc_info[1] is not None:
            described = describe(record.exc_info[1])
        if described is not None:
            line["error"] = described
        return json.dumps(line, separators=(",", ":"))


def describe(error: BaseException) -> dict[str, Any]:
    """Return what may be logged of an exception: type and frames, and of ours also the fields made for reading."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST_TRACE:]
    described: dict[str, Any] = {
        "type": type(error).__name__,
        "frames": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames],
    }
    if isinstance(error, SealaneError):
        described |= {name: _plain(value) for name, value in error.to_dict().items() if value is not None}
    return described


def configure_logging(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send Sealane's events at ``level`` and above, and other libraries' warnings, to ``stream`` as JSON lines.

    Called once by a process that Sealane owns (the command line); as a library Sealane leaves logging alone.
    Calling it again replaces what the earlier call set up.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        stream: standard error if not given.

    Raises:
        InputError: the level is none of these.
    """
    if level not in LEVELS:
        raise InputError("log.unknown-level", "log level is unknown", got=repr(level), expected=", ".join(LEVELS))
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    for earlier in [present for present in root.handlers if isinstance(present.formatter, JsonLines)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    get_logger("sealane").setLevel(LEVELS[level])
    logging.captureWarnings(capture=True)


def _plain(value: Field) -> Field:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for it
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + f"… ({len(value)} characters)"
    return value
