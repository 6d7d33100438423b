"""Namespaces: a network with nothing in it, and processes, queues and a host name of our own."""

from __future__ import annotations

import os
from pathlib import Path

from sealane.node.sandbox.syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    unshare,
)

ALL = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS


def enter() -> None:
    """Move into new namespaces; the next child is the first process of the new process namespace.

    Only a process with one thread can. User and group stay what they are.

    Raises:
        OSError: the kernel refuses.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(ALL)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")
