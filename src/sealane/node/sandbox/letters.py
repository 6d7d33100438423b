"""Letters as frames: names and lengths in the header, the texts one after another behind it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sealane.errors import ProtocolError
from sealane.node.sandbox.frames import Frame


def letters_frame(letters: Mapping[str, bytes]) -> Frame:
    """Return letters to single institutions, or from them, as a frame."""
    return Frame("letters", {"to": [[name, len(text)] for name, text in letters.items()]}, b"".join(letters.values()))


def read_letters(frame: Frame, names: AbstractSet[str] | None = None) -> dict[str, bytes]:
    """Return the letters in a frame by name.

    Args:
        frame: that came.
        names: who may be named; None where the sender is trusted.

    Raises:
        ProtocolError: a letter is to nobody, or lengths do not add up.
    """
    to = frame.fields.get("to")
    if frame.kind != "letters" or set(frame.fields) != {"to"} or not isinstance(to, list):
        raise _malformed()
    out: dict[str, bytes] = {}
    at, body = 0, memoryview(frame.body)
    for one in to:
        if not isinstance(one, list) or len(one) != 2:
            raise _malformed()
        name, length = one
        if not isinstance(name, str) or name in out or (names is not None and name not in names):
            raise _malformed()
        if type(length) is not int or not 0 <= length <= len(body) - at:
            raise _malformed()
        out[name] = bytes(body[at : at + length])
        at += length
    if at != len(body):
        raise _malformed()
    return out


def _malformed() -> ProtocolError:
    return ProtocolError("sandbox.malformed-frame", "what the computation sent is no message", got="no letters")
