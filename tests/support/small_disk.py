"""Disks that can be filled up: small file systems of their own where that is allowed, else a limit on file sizes."""

from __future__ import annotations

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = "8m"


@dataclass
class SmallDisk:
    """A directory whose writers can be told that the disk is full.

    Attributes:
        path: the directory.
        mounted: whether it is a file system of its own; if not, the writing process itself is limited.
    """

    path: Path
    mounted: bool

    @property
    def codes(self) -> set[str]:
        """What a full disk is called in errors: a limit on sizes looks like a broken disk to SQLite."""
        return {"disk.full", "storage.full"} if self.mounted else {"database.failed", "storage.failed"}

    def fill(self, pid: int) -> None:
        """Leave no byte, for the process that writes there."""
        if not self.mounted:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
            return
        for database in self.path.rglob("*.sqlite"):
            # A write-ahead log that has grown before is written over, which takes no space.
            with closing(sqlite3.connect(database)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            with (self.path / "ballast").open("ab", buffering=0) as file:
                for size in (1 << 16, 1 << 12, 1):
                    try:
                        while True:
                            file.write(bytes(size))
                    except OSError:
                        continue
        except OSError:
            return

    def free(self, pid: int) -> None:
        """Give the space back."""
        if self.mounted:
            (self.path / "ballast").unlink()
        else:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Make a directory, and a small file system in it if this user may."""
    path.mkdir(mode=0o700)
    mount, umount = shutil.which("mount"), shutil.which("umount")
    mounted = mount is not None and umount is not None and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(path)], capture_output=True,
        check=False).returncode == 0
    try:
        yield SmallDisk(path, mounted)
    finally:
        if mounted:
            subprocess.run([str(umount), "-l", str(path)], capture_output=True, check=False)
