"""One serving process for one home: a lock that the kernel lets go of when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealane.errors import RefusedError


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a home for one serving process.

    Raises:
        RefusedError: another process serves it.
    """
    handle = os.open(path / "serving.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RefusedError("home.in-use", "another process serves this home", got=str(path),
                               hint="stop it first; two would speak for one party, and not say the same") from error
        yield
    finally:
        os.close(handle)
