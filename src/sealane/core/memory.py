"""Memory that a model's update needs again in the next round is kept, not handed back to the system in between.

glibc maps each large buffer anew and unmaps it when it is freed, so that every round pays for the page faults of every
copy: more than half of a node's processor time in a round of ten million parameters.

Source: mallopt(3); the numbers are those of glibc's malloc.h.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, in one heap. Does nothing where it is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES)):
            mallopt(option, value)


def hand_back_memory() -> None:
    """Hand back to the system what is free, as after a run."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
