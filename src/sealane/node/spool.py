"""Where a journal keeps what is too long for its database: one file for each, on disk before the row that names it.

SQLite would write a model's update twice, once to its log and once to its place, and once more to blank it. A file of
which no row tells is overwritten by the next of its name, or removed with its run.
"""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sealane.core.handles import sync_directory, write_all
from sealane.core.octets import Buffer
from sealane.errors import UnavailableError

LONG = 1 << 18
"""From so many bytes on a value is kept in a file."""


class Spool:
    """The files of one journal, in a directory of mode 0700 beside it.

    Args:
        directory: made when the first file is.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unsynced: list[int] = []

    def write(self, name: str, parts: Iterable[Buffer]) -> None:
        """Write a file, which is on disk after :meth:`sync`.

        Raises:
            UnavailableError: the disk takes nothing more.
        """
        with full_disk():
            if not self._directory.is_dir():
                self._directory.mkdir(mode=0o700)
                sync_directory(self._directory.parent)
            handle, path = tempfile.mkstemp(dir=self._directory)  # mode 0600
            self._unsynced.append(handle)
            for part in parts:
                write_all(handle, part)
            os.replace(path, self._directory / name)

    def sync(self) -> None:
        """Return once all that was written is on disk.

        Raises:
            UnavailableError: it is not.
        """
        if not self._unsynced:
            return
        with full_disk():
            try:
                for handle in self._unsynced:
                    os.fsync(handle)
            finally:
                self.lose()
            sync_directory(self._directory)

    def lose(self) -> None:
        """Wait for nothing that was written."""
        for handle in self._unsynced:
            os.close(handle)
        self._unsynced.clear()

    def read(self, name: str) -> Filed:
        """Return what a file holds, to be read as it is needed.

        Raises:
            UnavailableError: it is not there any more.
        """
        with _lost(name):
            return Filed(self._directory / name)

    def sweep(self, runs: Container[str]) -> None:
        """Remove the files of all other runs, and what a kill left unnamed."""
        for path in self._directory.glob("*"):
            if path.name.split(".")[0] not in runs:
                path.unlink(missing_ok=True)

    def remove(self, pattern: str) -> None:
        """Remove the files of such names."""
        for path in self._directory.glob(pattern):
            path.unlink(missing_ok=True)


class Filed:
    """The bytes of a file as they are now: of one that is removed or replaced they stay until this is let go."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._handle = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)
        self._size = os.fstat(self._handle).st_size

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> Buffer:
        """Return bytes ``start`` to ``stop``; threads may read side by side.

        Raises:
            UnavailableError: they are not there any more.
        """
        with _lost(self._name):
            found = os.pread(self._handle, stop - start, start)
            while len(found) < stop - start:
                more = os.pread(self._handle, stop - start - len(found), start + len(found))
                if not more:
                    raise OSError(errno.EIO, "it was cut short")
                found += more
        return found


@contextmanager
def _lost(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise lost(name, error.strerror or type(error).__name__) from error


def lost(name: str, why: str) -> UnavailableError:
    """Return the error for a file that is not there any more, or not as it was written."""
    return UnavailableError("node.spool-lost", "a file of this node's run database cannot be read",
                            got=f"{name}: {why}", hint="somebody removed or changed it; the run cannot go on here: "
                                                       "abort it")


@contextmanager
def full_disk() -> Iterator[None]:
    """Write within this block.

    Raises:
        UnavailableError: the disk takes nothing more.
    """
    try:
        yield
    except OSError as error:
        raise UnavailableError("disk.full", "the disk is full: nothing was written",
                               got=error.strerror or type(error).__name__,
                               hint="free some space; the work goes on from where it stopped") from error
