"""The sums of one attempt behind its first, one after the other in a file that is only appended to.

Such sums are many and small, and each is a promise: what a node opened and what it sends next must be on disk before
that leaves. Here this takes one write and one wait for the disk; SQLite would write every byte to its log and to its
place, and once more to blank it.

Each write is one record: a head that says where it lies, how long it is and its checksum, then what was opened and
sent. All but the last were waited for before the next was written, so a crash can tear the last one only, and nothing
that rests on it was ever sent: it is cut off. Where a whole record lies behind one that is not, something else
happened to the file, and the node does not go on with it: it could send a second contribution for a round.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from sealane.core.handles import sync_directory, write_all
from sealane.core.octets import Octets, Within, whole
from sealane.core.secret import Secret
from sealane.errors import ProtocolError, UnavailableError
from sealane.node.spool import Filed, full_disk, lost

_RECORD = struct.Struct("<8sQQI")
"""Mark, where it lies, bytes behind this head, checksum."""
_MARK = b"sealane1"
_PART = struct.Struct("<BIQ32s32s")
"""Kind, number of the sum, bytes of the content, two values of 32 bytes."""
_SENT, _OPENED = 1, 2


@dataclass(slots=True)
class Step:
    """One sum: what is described, the seed and the payload that were sent, the digest and the total that were opened.

    Of payload and total it is known where they lie: from which byte to which.
    """

    description_hash: bytes
    seed: Secret
    payload: tuple[int, int]
    digest: bytes | None = None
    total: tuple[int, int] | None = None


class Steps:
    """The file of one attempt.

    Args:
        path: of the file.
        made: whether there must be one.

    Attributes:
        made: whether there is one.
        newest: number of the last sum that was opened, here or elsewhere, -1 before there is one.

    Raises:
        UnavailableError: it is gone, or damaged.
    """

    def __init__(self, path: Path, *, made: bool = False) -> None:
        self._path = path
        self.made = path.exists()
        if made and not self.made:
            raise lost(path.name, "it is gone")
        self._handle: int | None = None
        self._filed: Filed | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._steps: dict[int, Step] = {}
        self.newest = -1
        if self.made:
            self._read()

    def get(self, number: int) -> Step | None:
        """Return the sum of that number."""
        return self._steps.get(number)

    def opened_count(self) -> int:
        """Return how many sums were opened."""
        return sum(step.total is not None for step in self._steps.values())

    def held(self, place: tuple[int, int]) -> Octets:
        """Return what lies there, to be read as it is needed."""
        if self._filed is None or len(self._filed) < place[1]:
            self._filed = Filed(self._path)
        return Within(self._filed, *place)

    def sent(self, number: int, description_hash: bytes, seed: Secret, payload: Octets) -> None:
        """Append what is about to be sent, and wait until all is on disk.

        Raises:
            ProtocolError: there is such a step already.
            UnavailableError: the disk takes nothing more; then it was not appended.
        """
        if number in self._steps:
            raise ProtocolError("run.illegal-transition", "a second contribution for a round", got=f"exchange {number}")
        before = len(self._waiting)
        place = self._append(_SENT, number, description_hash, seed.reveal(), whole(payload))
        try:
            self.settle()
        except UnavailableError:
            del self._waiting[before:]
            raise
        self._steps[number] = Step(description_hash, seed, place)

    def make(self) -> None:
        """Make the file, with mode 0600 and its directory with mode 0700, and return once both stay.

        Raises:
            UnavailableError: the disk takes nothing more.
        """
        with full_disk():
            if not self._path.parent.is_dir():
                self._path.parent.mkdir(mode=0o700)
                sync_directory(self._path.parent.parent)
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            sync_directory(self._path.parent)
        self.made = True

    def opened(self, number: int, digest: bytes, total: bytes) -> None:
        """Append what was opened, with the next step that is sent."""
        step = self._steps[number]
        step.digest, step.total = digest, self._append(_OPENED, number, digest, bytes(32), total)
        self.newest = number

    def settle(self) -> None:
        """Write what waits, and return once it is on disk.

        Raises:
            UnavailableError: the disk takes nothing more; then nothing was written.
        """
        if self._waiting:
            with full_disk():
                self._write(self._waiting)
            self._waiting.clear()

    def close(self) -> None:
        """Let go of the file, and of what was not written."""
        self._waiting.clear()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _append(self, kind: int, number: int, first: bytes, second: bytes, content: bytes) -> tuple[int, int]:
        start = self._size + _RECORD.size + sum(map(len, self._waiting)) + _PART.size
        self._waiting += [_PART.pack(kind, number, len(content), first, second), content]
        return start, start + len(content)

    def _write(self, parts: list[bytes]) -> None:
        size = sum(map(len, parts))
        check = zlib.crc32(_RECORD.pack(_MARK, self._size, size, 0))
        for part in parts:
            check = zlib.crc32(part, check)
        handle = self._handle
        if handle is None:
            handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if self._handle is None:
                self._cut(handle)  # what a crash tore, or a write that failed
            write_all(handle, b"".join([_RECORD.pack(_MARK, self._size, size, check), *parts]))
            os.fdatasync(handle)
        except OSError:
            self._handle = None
            try:
                self._cut(handle)
            finally:
                os.close(handle)
            raise
        self._handle = handle
        self._size += _RECORD.size + size

    def _cut(self, handle: int) -> None:
        os.ftruncate(handle, self._size)
        os.lseek(handle, self._size, os.SEEK_SET)

    def _read(self) -> None:
        """Read the steps that are there, up to a record that a crash tore.

        Raises:
            UnavailableError: the file is damaged.
        """
        file = Filed(self._path)
        while (record := _record(file, self._size)) is not None:
            self._take(record, self._size + _RECORD.size)
            self._size += _RECORD.size + len(record)
        rest = bytes(file.read(self._size, len(file)))
        place = rest.find(_MARK, 1)
        while place > 0:
            if _record(file, self._size + place) is not None:
                raise lost(self._path.name, f"it is damaged at byte {self._size}")
            place = rest.find(_MARK, place + 1)

    def _take(self, record: bytes, start: int) -> None:
        at = 0
        while at < len(record):
            kind, number, size, first, second = _PART.unpack_from(record, at)
            at += _PART.size
            place = start + at, start + at + size
            at += size
            if kind == _SENT:
                self._steps[number] = Step(first, Secret(second), place)
            else:
                step = self._steps[number]
                step.digest, step.total, self.newest = first, place, number


def _record(file: Filed, at: int) -> bytes | None:
    """Return what the record at a place holds, or None where there is no whole one."""
    if len(file) - at < _RECORD.size:
        return None
    mark, place, size, check = _RECORD.unpack(file.read(at, at + _RECORD.size))
    if (mark, place) != (_MARK, at) or size > len(file) - at - _RECORD.size:
        return None
    content = bytes(file.read(at + _RECORD.size, at + _RECORD.size + size))
    return content if zlib.crc32(content, zlib.crc32(_RECORD.pack(mark, place, size, 0))) == check else None
