"""Resources out of a stream of bytes, one at a time: lines of NDJSON, or entries of a bundle. Untrusted throughout.

What cannot be read is yielded as the reason, and the stream goes on behind it. Memory is bounded by the largest
resource allowed. Source: FHIR Bulk Data Access 2.0, "Output file requests"; FHIR R4, Bundle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

MAXIMUM_RESOURCE = 4 << 20
"""Bytes of one resource; a larger one is left out."""
MAXIMUM_DEPTH = 64
CHUNK = 1 << 18

NOT_JSON, TOO_LARGE, TOO_DEEP, NO_RESOURCE, CUT_OFF = "not-json", "too-large", "too-deep", "no-resource", "cut-off"
Read = Callable[[int], bytes]
"""Returns up to so many bytes, none at the end."""
_OUTSIDE, _IN_TEXT = re.compile(rb'["{}\[\]]'), re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it was parsed.

    Attributes:
        kind: its resourceType.
        content: the whole object.
        full_url: that its bundle names it by; empty outside bundles.
    """

    kind: str
    content: dict[str, Any]
    full_url: str = ""

    def __repr__(self) -> str:
        return f"Resource({self.kind})"


def lines(read: Read) -> Iterator[Resource | str]:
    """Yield the resources of an NDJSON file; for each line that is none, the reason."""
    kept, skipping = bytearray(), False
    while chunk := read(CHUNK):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            if skipping or len(kept) + len(line) > MAXIMUM_RESOURCE:
                yield TOO_LARGE
            elif (kept + line).strip():
                yield parse(bytes(kept + line))
            kept, skipping = bytearray(), False
        kept += rest
        if skipping or len(kept) > MAXIMUM_RESOURCE:
            kept, skipping = bytearray(), True
    if skipping:
        yield TOO_LARGE
    elif kept.strip():
        found = parse(bytes(kept))
        # A file that was copied whole ends with a line feed, or at least with a whole resource.
        yield CUT_OFF if found == NOT_JSON else found


def entries(read: Read) -> Iterator[Resource | str]:
    """Yield the resources of a bundle; for each entry without one, the reason, and ``cut-off`` where its end lacks."""
    scanner = _Bundle()
    while chunk := read(CHUNK):
        for entry in scanner.feed(chunk):
            yield entry if isinstance(entry, str) else parse(entry, bundled=True)
    if scanner.depth or not scanner.begun:
        yield CUT_OFF


def parse(data: bytes, *, bundled: bool = False) -> Resource | str:
    """Return the resource that some bytes hold, or why there is none."""
    try:
        content = json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        return TOO_DEEP
    except ValueError:  # not JSON, not UTF-8, or a number of thousands of digits
        return NOT_JSON
    if data.count(b"{") + data.count(b"[") > MAXIMUM_DEPTH and _deep(content):
        return TOO_DEEP
    url = content.get("fullUrl") if bundled and isinstance(content, dict) else None
    if bundled:
        content = content.get("resource") if isinstance(content, dict) else None
    kind = content.get("resourceType") if isinstance(content, dict) else None
    if not isinstance(kind, str):
        return NO_RESOURCE
    return Resource(kind, content, url if isinstance(url, str) else "")


class _Bundle:
    """Cuts the entries out of a bundle by counting brackets, so that no more than one of them is ever held."""

    def __init__(self) -> None:
        self.depth = 0
        self.begun = False
        self._in_text = False
        self._escaped = False
        self._in_entries = False
        self._last_text = bytearray()
        self._held: bytearray | None = None
        self._fault = ""

    def feed(self, chunk: bytes) -> Iterator[bytes | str]:
        """Take the next bytes; yield each entry that ends in them, or why it is left out."""
        at, begin = int(self._escaped), 0
        self._escaped = False
        while (match := (_IN_TEXT if self._in_text else _OUTSIDE).search(chunk, at)) is not None:
            self._note_text(chunk[at:match.end()])
            at, mark = match.end(), match[0]
            if mark == b"\\":
                self._escaped = at == len(chunk)
                at += 1
            elif mark == b'"':
                self._in_text = not self._in_text
                if self._in_text:
                    self._last_text = bytearray()
            elif mark in b"{[":
                if self._open(mark):
                    begin = at - 1
            elif self._close():
                self._hold(chunk[begin:at])
                yield self._fault or bytes(self._held or b"")
                self._held, self._fault = None, ""
        self._note_text(chunk[at:])
        self._hold(chunk[begin:])

    def _note_text(self, part: bytes) -> None:
        # The last text before a bracket in an object is its key; "entry" is all that has to be told from others.
        if self._in_text and self.depth == 1 and len(self._last_text) < 16:
            self._last_text += part[:16]

    def _open(self, mark: bytes) -> bool:
        """Go one bracket deeper; tell whether an entry begins with it."""
        self.depth += 1
        self.begun = True
        if self.depth == 2:
            self._in_entries = mark == b"[" and self._last_text == b'entry"'
        if self.depth > MAXIMUM_DEPTH + 2 and self._held is not None:
            self._held, self._fault = bytearray(), self._fault or TOO_DEEP
        if not self._in_entries or self.depth != 3:
            return False
        self._held = bytearray()
        return True

    def _close(self) -> bool:
        """Come one bracket back; tell whether an entry ends with it."""
        self.depth = max(self.depth - 1, 0)
        return self._held is not None and self.depth == 2

    def _hold(self, part: bytes) -> None:
        if self._held is None or self._fault:
            return
        if len(self._held) + len(part) > MAXIMUM_RESOURCE:
            self._held, self._fault = bytearray(), TOO_LARGE
        else:
            self._held += part


def _deep(content: Any) -> bool:
    level = [content]
    for _ in range(MAXIMUM_DEPTH):
        level = [one for value in level if isinstance(value, dict | list)
                 for one in (value.values() if isinstance(value, dict) else value)]
        if not level:
            return False
    return True


def _no_constant(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are no JSON
