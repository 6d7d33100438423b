"""A Merkle tree over stored hashes of its complete subtrees: appending and proving read O(log² n) of them.

The hash at (level, index) covers the leaves from ``index << level`` on, ``1 << level`` of them; once written it never
changes, so every former size of the log can be proved from the same store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from sealane.audit.merkle import EMPTY_ROOT, node_hash
from sealane.errors import InputError


class Hashes(Protocol):
    """Where hashes of complete subtrees lie."""

    def read(self, level: int, index: int) -> bytes:
        """Return a hash that was written."""

    def write(self, level: int, index: int, value: bytes) -> None:
        """Keep a hash; each place is written once."""


class MemoryHashes:
    """Hashes in memory."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, index: int) -> bytes:
        """Return a hash that was written."""
        return self._held[level, index]

    def write(self, level: int, index: int, value: bytes) -> None:
        """Keep a hash."""
        self._held[level, index] = value


def append(hashes: Hashes, size: int, leaf: bytes) -> int:
    """Add a leaf hash to a tree of ``size`` leaves and return the new size."""
    level, index = 0, size
    hashes.write(level, index, leaf)
    while index & 1:
        leaf = node_hash(hashes.read(level, index - 1), leaf)
        level, index = level + 1, index >> 1
        hashes.write(level, index, leaf)
    return size + 1


def root(hashes: Hashes, size: int) -> bytes:
    """Return the root over the first ``size`` leaves."""
    return _range(hashes, 0, size) if size else EMPTY_ROOT


def inclusion(hashes: Hashes, index: int, size: int) -> tuple[bytes, ...]:
    """Return the proof that leaf ``index`` is in the tree of ``size`` leaves.

    Raises:
        InputError: there is no such leaf in a tree of that size.
    """
    if not 0 <= index < size:
        raise InputError("audit.no-such-leaf", "the log holds no such leaf", got=index, expected=f"0 to {size - 1}")
    return tuple(_path(hashes, index, 0, size))


def consistency(hashes: Hashes, old: int, new: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``new`` leaves begins with that of ``old``; empty from 0 and to itself.

    Raises:
        InputError: ``old`` is larger than ``new``.
    """
    if not 0 <= old <= new:
        raise InputError("audit.no-such-size", "the log was never of that size", got=old, expected=f"0 to {new}")
    if old in (0, new):
        return ()
    return tuple(_subproof(hashes, old, 0, new, whole=True))


def _path(hashes: Hashes, index: int, start: int, end: int) -> Iterator[bytes]:
    if end - start == 1:
        return
    middle = start + _split(end - start)
    if index < middle:
        yield from _path(hashes, index, start, middle)
        yield _range(hashes, middle, end)
    else:
        yield from _path(hashes, index, middle, end)
        yield _range(hashes, start, middle)


def _subproof(hashes: Hashes, old: int, start: int, end: int, *, whole: bool) -> Iterator[bytes]:
    """Source: RFC 6962 section 2.1.2, SUBPROOF."""
    if old == end:
        if not whole:
            yield _range(hashes, start, end)
        return
    middle = start + _split(end - start)
    if old <= middle:
        yield from _subproof(hashes, old, start, middle, whole=whole)
        yield _range(hashes, middle, end)
    else:
        yield from _subproof(hashes, old, middle, end, whole=False)
        yield _range(hashes, start, middle)


def _range(hashes: Hashes, start: int, end: int) -> bytes:
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return hashes.read(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range(hashes, start, middle), _range(hashes, middle, end))


def _split(count: int) -> int:
    """Return the largest power of two smaller than ``count``."""
    return int(1 << ((count - 1).bit_length() - 1))
