"""The sums of one attempt behind its first, one after the other in a file that is only appended to.

Such sums are many and small, and each is a promise: what a node opened and what it sends next must be on disk before
that leaves. Here this takes one write and one wait for the disk; SQLite would write every byte to its log and to its
place, and once more to blank it.

A record is a head, then its bytes. All records but the last were waited for before the next was written, so a crash
can tear the last one only; it is known by its checksum, and nothing that rests on it was ever sent.
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
from sealane.node.spool import Filed, full_disk

_HEAD = struct.Struct("<BIQ32s32s")
_CHECK = struct.Struct("<I")
_BEFORE = _HEAD.size + _CHECK.size
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
        path: made with mode 0600, its directory with mode 0700, when the first step is.

    Attributes:
        newest: number of the last sum that was opened, here or elsewhere, -1 before there is one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._filed: Filed | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._steps: dict[int, Step] = {}
        self.newest = -1
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
                self._write(b"".join(self._waiting))
            self._waiting.clear()

    def close(self) -> None:
        """Let go of the file, and of what was not written."""
        self._waiting.clear()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _append(self, kind: int, number: int, first: bytes, second: bytes, content: bytes) -> tuple[int, int]:
        head = _HEAD.pack(kind, number, len(content), first, second)
        start = self._size + sum(map(len, self._waiting)) + _BEFORE
        self._waiting += [head, _CHECK.pack(zlib.crc32(content, zlib.crc32(head))), content]
        return start, start + len(content)

    def _write(self, data: bytes) -> None:
        if self._handle is None:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._handle, self._size)  # what a crash tore
            sync_directory(self._path.parent)
        try:
            os.lseek(self._handle, self._size, os.SEEK_SET)
            write_all(self._handle, data)
            os.fdatasync(self._handle)
        except OSError:
            os.ftruncate(self._handle, self._size)
            raise
        self._size += len(data)

    def _read(self) -> None:
        """Read the steps that are there, up to one that a crash tore."""
        if not self._path.exists():
            return
        file = Filed(self._path)
        while len(file) - self._size >= _BEFORE:
            head = bytes(file.read(self._size, self._size + _HEAD.size))
            kind, number, size, first, second = _HEAD.unpack(head)
            start = self._size + _BEFORE
            if size > len(file) - start:
                return
            check, = _CHECK.unpack(file.read(start - _CHECK.size, start))
            if zlib.crc32(file.read(start, start + size), zlib.crc32(head)) != check:
                return
            if kind == _SENT:
                self._steps[number] = Step(first, Secret(second), (start, start + size))
            else:
                step = self._steps[number]
                step.digest, step.total, self.newest = first, (start, start + size), number
            self._size = start + size
