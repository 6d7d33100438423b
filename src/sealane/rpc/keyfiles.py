"""Files that hold keys: readable by their owner alone, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from pathlib import Path

from sealane.core.entropy import random_bytes
from sealane.core.handles import sync_directory
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError

MAX_KEY_FILE_BYTES = 64 << 10


def make_private_directory(path: Path) -> None:
    """Make a directory (and its parents) that only its owner enters; one that exists must be so already.

    Raises:
        RefusedError: it exists and others may enter it.
        UnavailableError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unavailable(path, error) from error
    check_private(path)


def check_private(path: Path) -> None:
    """Refuse a file or directory that group or others may touch.

    Raises:
        RefusedError: it has such a permission bit.
        InputError: it is not there.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise InputError("identity.missing", f"{path} cannot be read", got=error.strerror,
                         hint="enrol first, or name the right --home") from error
    if mode & 0o077:
        want = "700" if path.is_dir() else "600"
        raise RefusedError("identity.open-permissions", f"{path} may be read by others than its owner",
                           got=f"{mode:04o}", expected=f"0{want}",
                           hint=f"chmod {want} {shlex.quote(str(path))}, and ask who could have read it")


def read_private(path: Path, *, limit: int = MAX_KEY_FILE_BYTES) -> bytes:
    """Read a file that only its owner may read.

    Raises:
        InputError: missing, or longer than ``limit``.
        RefusedError: its permissions are too wide.
    """
    check_private(path)
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError("identity.file-too-large", f"{path} is too large", expected=f"at most {limit} bytes")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600 so that after a crash either the old or the new bytes are there, whole.

    Raises:
        UnavailableError: the disk is full or refuses.
    """
    temporary = path.with_name(f".{path.name}.{random_bytes(6).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise _unavailable(path, error) from error


def _unavailable(path: Path, error: OSError) -> SealaneError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return UnavailableError("storage.full" if full else "storage.refused", f"{path} cannot be written",
                            got=error.strerror, hint="free space on this disk, then try again" if full else
                            "check that the directory exists and belongs to this user")
