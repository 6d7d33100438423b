"""Landlock: which files this process and its children may read from here on; none may be written.

Source: Documentation/userspace-api/landlock.rst of Linux; numbers from linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress

from sealane.node.sandbox.syscalls import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Everything that each version of the interface can forbid; 4 and later bring more by the fields below."""
NETWORK_SINCE, NETWORK_RIGHTS = 4, 0b11
SCOPES_SINCE, SCOPES = 6, 0b11
"""TCP bind and connect; abstract sockets and signals out of the domain."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the version of the kernel's interface, 0 where there is none."""
    try:
        return syscall(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(abi: int, readable: Iterable[str]) -> None:
    """Let only files beneath these paths be read, nothing be written or executed, and no TCP port be used.

    ``no_new_privs`` must be set. Paths that are not there are left out.

    Raises:
        OSError: the kernel refuses.
    """
    files = FILE_RIGHTS[max(known for known in FILE_RIGHTS if known <= abi)]
    ruleset = _create(abi, files)
    try:
        for path in readable:
            with suppress(FileNotFoundError):
                _allow(ruleset, path)
        syscall(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def restrict_signals(abi: int) -> None:
    """Put this process into a domain of its own, out of which no signal and no abstract socket leads."""
    if abi >= SCOPES_SINCE:
        ruleset = _create(abi, 0)
        try:
            syscall(RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)


def _create(abi: int, files: int) -> int:
    attributes = _Ruleset(files, NETWORK_RIGHTS if abi >= NETWORK_SINCE else 0, SCOPES if abi >= SCOPES_SINCE else 0)
    size = 24 if abi >= SCOPES_SINCE else 16 if abi >= NETWORK_SINCE else 8
    return syscall(CREATE_RULESET, ctypes.byref(attributes), size, 0)


def _allow(ruleset: int, path: str) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        rule = _PathBeneath(READ_FILE | READ_DIR if folder else READ_FILE, handle)
        syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)
