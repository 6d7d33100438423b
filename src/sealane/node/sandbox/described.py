"""Errors as a child tells them: ours with their fields, others by type and place only, so that no value gets out."""

from __future__ import annotations

import errno
import logging
import re
import traceback
from typing import Any

from sealane.errors import BRANCHES, ProtocolError, RefusedError, SealaneError, from_dict
from sealane.node.sandbox.limits import Limits
from sealane.rpc.known_codes import known_codes
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
LONGEST_TEXT = 200
"""A few words about a column or a count. What a computation says is not proven free of values, so it is kept short."""
DEEPEST = 8
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLACE = re.compile(r"[A-Za-z0-9_.<>-]{1,100}:[0-9]{1,7}:[A-Za-z0-9_<>.]{1,100}")


def tell(error: BaseException) -> dict[str, Any]:
    """Return what a child says of an error."""
    if isinstance(error, SealaneError):
        said = error.to_dict()
        return {"error": said | {k: None if v is None else v[:LONGEST_TEXT] for k, v in said.items()}}
    full = isinstance(error, OSError) and error.errno == errno.ENOMEM  # rows that cannot be mapped
    denied = isinstance(error, PermissionError)
    cause = "memory" if full or isinstance(error, MemoryError) else "denied" if denied else "other"
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in frames]
    return {"cause": cause, "type": type(error).__name__, "places": places}


def heard(fields: dict[str, Any], run: str, limits: Limits) -> SealaneError:
    """Return the error that a child told of; of a foreign one type and place are logged."""
    if set(fields) == {"error"}:
        return _ours(fields["error"])
    if set(fields) != {"cause", "type", "places"}:
        return _untold()
    name, places = fields["type"], fields["places"]
    if not isinstance(name, str) or not _TYPE.fullmatch(name) or not isinstance(places, list):
        return _untold()
    where = " ".join(p for p in places[-DEEPEST:] if isinstance(p, str) and _PLACE.fullmatch(p))
    log(_LOG, "computation.failed", level=logging.ERROR, run=run, type=name, at_lines=where)
    if fields["cause"] == "memory":
        return RefusedError("sandbox.memory-exceeded", "the computation needs more memory than it may have",
                            expected=f"at most {limits.memory_bytes} bytes", hint="raise sandbox.memory_bytes in the "
                            "node's settings.toml, if the machine has it")
    if fields["cause"] == "denied":
        return RefusedError("sandbox.denied", "the computation tried what the sandbox does not allow", got=name,
                            hint="the node's log says where, but quotes no value")
    return ProtocolError("computation.failed", "the computation failed at this node", got=name,
                         hint="the node's log says where, but quotes no value")


def _ours(fields: object) -> SealaneError:
    names = {"branch", "code", "message", "got", "expected", "hint"}
    if not isinstance(fields, dict) or set(fields) != names or fields["branch"] not in BRANCHES:
        return _untold()
    if not isinstance(fields["code"], str) or fields["code"] not in known_codes():
        return _untold()
    texts = (fields["message"], fields["got"], fields["expected"], fields["hint"])
    if not all(text is None or (isinstance(text, str) and len(text) <= LONGEST_TEXT) for text in texts):
        return _untold()
    return from_dict(fields)


def _untold() -> SealaneError:
    return ProtocolError("sandbox.malformed-frame", "what the computation sent is no message", got="wrong error")
