"""Memory of a serving process: what a round lets go of is used again in the next, and no round leaves holes behind.

An update passes through a process in pieces of a megabyte or less. The C library maps none of them anew in each round,
which would cost more than the arithmetic, but keeps what is freed, in one heap. Whole vectors, such as an opened sum,
are mapped each by itself and handed back at once: in the heap, pieces would settle in the holes they leave, and the
next vector would need fresh memory. NumPy asks for huge pages for them, so a fresh one costs little.

Source: mallopt(3); the numbers are those of glibc's malloc.h.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
KEPT_BYTES = 2**31 - 1
WHOLE_BYTES = 1 << 22
"""From so many bytes on a buffer is mapped by itself: as for huge pages in NumPy."""


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, in one heap, but for whole vectors. Does nothing where it is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, WHOLE_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES)):
            mallopt(option, value)


def hand_back_memory() -> None:
    """Hand back to the system what is free, as after a run."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
