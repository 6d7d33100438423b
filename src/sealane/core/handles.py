"""Open handles: writing all of something, names that stay, space, and memory that nobody can change any more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from sealane.core.octets import Buffer

LEAST_SPACE = 1 << 16
"""Bytes free under which a disk counts as full: what SQLite shares between processes takes 32 KiB at once."""
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def write_all(handle: int, data: Buffer) -> None:
    """Write all bytes: one call may take fewer, of more than two gigabytes it does."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest):]


def sync_directory(directory: Path) -> None:
    """Return once the names in a directory are on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_full(directory: Path) -> bool:
    """Return whether the disk of a directory has no room for this user; False where it cannot be asked."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LEAST_SPACE or (disk.f_files > 0 and disk.f_favail == 0)


def sealed_memory(name: str, parts: Iterable[Buffer]) -> int:
    """Return a handle of memory that holds these bytes and is sealed; the caller closes it.

    Source: memfd_create(2), fcntl(2).
    """
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for part in parts:
            write_all(handle, part)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(handle)
        raise
    return handle
