"""A stream of the device with its buffers: what one stretch of groups goes through, from seeds to words and back.

Two tracks take turns, so that copies of one go on beside the other's arithmetic. The buffers hold what must not stay
(masks, plaintext): :meth:`Track.close` zeroes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.ring import cuda_ntt, cuda_open, cuda_public, cuda_seal, cuda_wire
from sealane.ring.cuda_kernel import INTERPRETED, launch, torch
from sealane.ring.cuda_tables import packing_tables, ring_tables
from sealane.ring.packing import LANES, Packing
from sealane.ring.streams import EXTRA

GROUPS = 32  # to a stretch: some 10 million values, enough programs to fill a device, 0.2 GB of buffers
# The interpreter takes as long for one number as for many, so there a program does the work of several.
WIDE, POLYS = (64, LANES) if INTERPRETED else (1, 1)
_CHUNK = 1024  # candidates to a program
_TILE = 1024  # positions to a program


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive groups of a vector.

    Args:
        first: the number of the first group.
        groups: how many.
        start: their first value.
        count: their values.
        last: the number of the vector's last group, the only one that may not be full.
        last_used: the positions that it uses.
        offset: where the first group's residues begin in a total.
        residues: the residues of these groups.
    """

    first: int
    groups: int
    start: int
    count: int
    last: int
    last_used: int
    offset: int
    residues: int

    @property
    def place(self) -> tuple[int, int, int]:
        """What every kernel needs to find a group's rows."""
        return self.first, self.last, self.last_used


def stretches(packing: Packing, length: int, groups: int = GROUPS) -> Iterator[Stretch]:
    """Part a vector into stretches of at most so many groups."""
    last = packing.groups(length) - 1
    for first in range(0, last + 1, groups):
        yield stretch(packing, length, first, min(groups, last + 1 - first))


def stretch(packing: Packing, length: int, first: int, groups: int) -> Stretch:
    """Return the stretch of ``groups`` groups from ``first`` on."""
    last = packing.groups(length) - 1
    start, _ = packing.span(length, first)
    _, stop = packing.span(length, first + groups - 1)
    offset = packing.offset(first)
    end = packing.residues(length) if first + groups > last else packing.offset(first + groups)
    return Stretch(first, groups, start, stop - start, last, packing.used(length, last), offset, end - offset)


class Track:
    """One stream and its buffers, for stretches of at most ``groups`` groups.

    Without a stream of its own a track works on the caller's; a CPU has no streams.
    """

    def __init__(self, packing: Packing, device: str, groups: int, *, own_stream: bool) -> None:
        ring = packing.ring
        self._packing, self._device = packing, device
        self._ring, self._tables = ring_tables(ring, device), packing_tables(packing, device)
        self._shape = {"POSITIONS": packing.positions, "PRIMES": len(ring.primes)}
        self._chunk = min(_CHUNK, packing.positions)
        self._tile = min(_TILE, packing.positions)
        devices: Any = torch.cuda
        self._stream = devices.Stream(device) if own_stream and device != "cpu" else None
        self._host: torch.Tensor | None = None
        rows = groups * len(ring.primes)
        with self.on():
            self._public, self.residues = self.empty(rows * packing.positions), self.empty(rows * packing.positions)
            self._rejected = self.empty(rows * (packing.positions // self._chunk))
            self._spares, self._accepted = self.empty(rows * EXTRA), self.empty(rows)
            self._values = self.empty(0)

    def on(self) -> AbstractContextManager[Any]:
        """Return the context in which the device works for this track."""
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def empty(self, words: int) -> torch.Tensor:
        """Return a buffer of so many words on the device."""
        return torch.empty(words, dtype=torch.int32, device=self._device)

    def follow(self) -> None:
        """Let this track wait for what the caller's stream has been given so far."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._device))

    def wait(self) -> None:
        """Wait until all that this track was given is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def upload(self, values: NDArray[np.uint32]) -> torch.Tensor:
        """Return values on the device, in this track's own buffer; what was there before must be done with."""
        if self._host is None or self._host.numel() < values.size:
            self._zero_host()
            self._host = torch.empty(values.size, dtype=torch.int32, pin_memory=self._stream is not None)
        np.copyto(self._host.numpy().view(np.uint32)[: values.size], values)
        device = self.buffer(values.size)
        device.copy_(self._host[: values.size], non_blocking=True)
        return device

    def buffer(self, words: int) -> torch.Tensor:
        """Return this track's own buffer for values on the device."""
        if self._values.numel() < words:
            self._values.zero_()
            self._values = self.empty(words)
        return self._values[:words]

    def mask(self, keys: torch.Tensor, key: torch.Tensor, flags: torch.Tensor, part: Stretch) -> None:
        """Fill ``residues`` with a s, for the round keys of the public seed and a transformed key."""
        ring, tables, shape = self._packing.ring, self._ring, self._shape
        primes = len(ring.primes)
        lines, chunk = primes * part.groups, self._chunk
        chunks = self._packing.positions // chunk
        together = min(WIDE, 1 << (lines * chunks - 1).bit_length())
        launch(cuda_public.candidates, (-(-lines * chunks // together),), tables.mixing, keys, tables.primes,
               self._public, self._rejected, part.first, lines, CHUNK=chunk, CHUNKS=together, BITS=ring.bits,
               warps=8, **shape)
        together = min(WIDE, 1 << (lines - 1).bit_length())
        launch(cuda_public.spares, (-(-lines // together),), tables.mixing, keys, tables.primes, self._spares,
               self._accepted, part.first, lines, EXTRA=EXTRA, LINES=together, BITS=ring.bits, warps=8, **shape)
        launch(cuda_public.replace, (chunks, lines), tables.primes, self._public, self._rejected, self._spares,
               self._accepted, flags, CHUNK=chunk, EXTRA=EXTRA, **shape)
        launch(cuda_ntt.mask, (LANES // POLYS, primes, part.groups), self._public, key, self.residues, tables.inverse,
               tables.inverse_quotients, tables.primes, *part.place, N=ring.degree, LOG=ring.degree.bit_length() - 1,
               LANES=LANES, POLYS=POLYS, PRIMES=primes, warps=warps_for(ring.degree))

    def seal(self, values: torch.Tensor, seed: torch.Tensor, flags: torch.Tensor, part: Stretch) -> None:
        """Add messages and errors to the masks in ``residues``."""
        rows = 1 << (self._shape["PRIMES"] - 1).bit_length()
        launch(cuda_seal.seal, (self._packing.positions // self._tile, part.groups), self.residues, values,
               self._tables.factors, self._tables.quotients, self._ring.primes, self._tables.base, seed,
               self._ring.error, flags, *part.place, part.count, self._packing.slots, self._ring.error_tail,
               ROWS=rows, TILE=self._tile, warps=8, **self._shape)

    def write(self, residues: torch.Tensor, out: torch.Tensor) -> None:
        """Pack residues into words."""
        launch(cuda_wire.write, (-(-out.numel() // _TILE),), residues, out, out.numel(), BITS=self._packing.ring.bits,
               TILE=_TILE)

    def accumulate(
        self, total: torch.Tensor, words: torch.Tensor, flags: torch.Tensor, part: Stretch, *, take_back: bool = False
    ) -> None:
        """Add packed residues to a total, or take them back."""
        launch(cuda_wire.accumulate, (self._packing.positions // self._tile, self._shape["PRIMES"], part.groups),
               total, words, self._ring.primes, flags, *part.place, BITS=self._packing.ring.bits, TILE=self._tile,
               TAKE_BACK=take_back, **self._shape)

    def decode(self, total: torch.Tensor, out: torch.Tensor, flags: torch.Tensor, part: Stretch) -> None:
        """Read sums out of a total, ``residues`` holding its mask."""
        tile, tables = min(256, self._packing.positions), self._tables
        launch(cuda_open.decode, (self._packing.positions // tile, part.groups), total, self.residues, out, flags,
               self._ring.primes, tables.inverses, tables.cofactors, tables.multiples, tables.bounds, *part.place,
               part.count, self._packing.slots, TILE=tile, **self._shape)

    def close(self) -> None:
        """Zero what holds masks or plaintext, once the work is done."""
        self.wait()
        with self.on():
            self.residues.zero_()
            self._values.zero_()
        self._zero_host()
        self.wait()

    def _zero_host(self) -> None:
        if self._host is not None:
            self._host.zero_()


def warps_for(degree: int) -> int:
    """Return the warps of a program that transforms a polynomial: some 16 coefficients to a thread."""
    return min(32, max(1, degree // 512))
