"""System calls that Python has no name for. Each raises OSError where the kernel says no."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_NEWIPC, CLONE_NEWUTS = 0x08000000, 0x04000000
CAPSET = 126
"""Number on x86-64; elsewhere capabilities are left to no_new_privs."""
CAPABILITY_VERSION = 0x20080522
"""Source: linux/capability.h, version 3."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """Make a system call by number; integers are passed as longs."""
    passed = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *passed))


def prctl(option: int, *arguments: int) -> None:
    """Change one thing about this process."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    _checked(_LIBC.prctl(ctypes.c_int(option), *(ctypes.c_ulong(each) for each in padded)))


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _checked(_LIBC.unshare(ctypes.c_int(flags)))


def no_new_privileges() -> None:
    """Give up for good what a set-uid program could bring."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up every capability of this thread."""
    if os.uname().machine == "x86_64":
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
        syscall(CAPSET, ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)
