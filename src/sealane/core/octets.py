"""Long runs of bytes that need not lie in one place: in the pieces they came in, or in a file.

A model's update is megabytes, and every step that asks for it in one piece costs a copy of the model. So it passes from
step to step as what it is, and each step reads the stretch that it works on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

STRETCH = 1 << 20
Buffer = bytes | bytearray | memoryview
"""Bytes in one place; views are of single bytes."""


class Scattered(Protocol):
    """Bytes that are read stretch by stretch."""

    def __len__(self) -> int:
        """Return how many bytes there are."""
        ...

    def read(self, start: int, stop: int) -> Buffer:
        """Return bytes ``start`` to ``stop``, both at most the length."""
        ...


Octets = Buffer | Scattered


def stretch(octets: Octets, start: int, stop: int) -> Buffer:
    """Return bytes ``start`` to ``stop`` in one place, as a view where they lie in one."""
    return memoryview(octets)[start:stop] if isinstance(octets, Buffer) else octets.read(start, stop)


def stretches(octets: Octets) -> Iterator[Buffer]:
    """Give all bytes in order, a stretch at a time."""
    for start in range(0, len(octets), STRETCH):
        yield stretch(octets, start, min(start + STRETCH, len(octets)))


def whole(octets: Octets) -> bytes:
    """Return all bytes in one place; bytes that lie so already are not copied."""
    return octets if isinstance(octets, bytes) else b"".join(stretches(octets))


def gathered(parts: Sequence[Buffer]) -> Octets:
    """Return runs of bytes as one, short ones as bytes; a long one stays in the pieces that it was made in."""
    return Pieces(parts) if sum(map(len, parts)) > STRETCH else b"".join(parts)


class Pieces:
    """Runs of bytes, one behind the other."""

    def __init__(self, parts: Sequence[Octets]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(len(part) for part in self._parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, start: int, stop: int) -> Buffer:
        """Return bytes ``start`` to ``stop``: a view where they lie in one part."""
        found: list[Buffer] = []
        place = bisect_right(self._ends, start)
        while start < stop:
            part, end = self._parts[place], self._ends[place]
            begin = end - len(part)
            found.append(stretch(part, start - begin, min(stop, end) - begin))
            start, place = end, place + 1
        return found[0] if len(found) == 1 else b"".join(found)


class Within:
    """Bytes ``start`` to ``stop`` of others, which are not copied."""

    def __init__(self, octets: Octets, start: int, stop: int) -> None:
        self._octets = octets
        self._start = start
        self._size = stop - start

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> Buffer:
        """Return bytes ``start`` to ``stop``, counted from the first of these."""
        return stretch(self._octets, self._start + start, self._start + stop)
