"""The ring arithmetic on the CPU: numba kernels, row after row, or rows side by side where the caller has threads.

A row is the residues of one group modulo one prime. It is made, transformed, filled and written while it lies near the
processor, so encryption takes little memory beside the payload itself. Arrays that held a key, errors or values are
zeroed before they are let go.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sealane.core.octets import Octets, gathered
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import Block, Values
from sealane.ring.cpu_bits import add_residues, add_row, largest_residue, write_row
from sealane.ring.cpu_decode import decode, difference
from sealane.ring.cpu_encrypt import draw, messages
from sealane.ring.cpu_kernel import compile_all
from sealane.ring.cpu_mask import Masks
from sealane.ring.cpu_plan import plan_for
from sealane.ring.gaussian import SIGMA_ERROR, SIGMA_SECRET, gaussian
from sealane.ring.packing import Packing
from sealane.ring.primes import Ring
from sealane.ring.streams import error_words, key_words

Words = NDArray[np.uint32]
Spread = Callable[[Callable[[int], Any], Iterable[int]], Iterable[Any]]
_STRETCH = 8192  # positions that are read back as one task
_WRITTEN = 1 << 17  # residues of a total that are written as one piece


def warm_up() -> None:
    """Compile every kernel, or load it from disk; may be called in the background, and costs nothing twice."""
    compile_all()


class CpuBackend:
    """The arithmetic in numba kernels.

    Args:
        spread: calls a function with each of some numbers and returns the results in order: ``map``, or the ``map`` of
            an executor whose threads then work on rows side by side.
    """

    name = "cpu"

    def __init__(self, spread: Spread = map) -> None:
        warm_up()
        self._spread = spread
        self.device = f"{platform.machine()} processor, numba {numba.__version__}"

    def secret_key(self, ring: Ring, seed: Secret) -> NDArray[np.int32]:
        """Draw a key, int32 ``(N,)``."""
        key = np.empty(ring.degree, dtype=np.int32)
        words = key_words(seed, ring.degree)
        draw(words, gaussian(SIGMA_SECRET).thresholds, key)
        words[:] = 0
        return key

    def encrypt(
        self,
        packing: Packing,
        values: Values,
        *,
        public_seed: bytes,
        key: NDArray[np.int32],
        error_seed: Secret,
    ) -> Octets:
        """Return the payload of a vector."""
        length, bits = len(values), packing.ring.bits
        payload = np.empty(packing.payload_bytes(length) // 4, dtype=np.uint32)
        with Masks(packing.ring, key, public_seed) as masks:
            for group in range(packing.groups(length)):
                begin = packing.offset(group) * bits // 32
                block = payload[begin : begin + packing.block_bytes(length, group) // 4]
                self._encrypt_group(packing, values, group, masks, error_seed, block)
        return gathered([payload.view(np.uint8).data])

    def _encrypt_group(
        self, packing: Packing, values: Values, group: int, masks: Masks, error_seed: Secret, block: Words
    ) -> None:
        plan, used = plan_for(packing), packing.used(len(values), group)
        read = _read(values, *packing.span(len(values), group))
        words = error_words(error_seed, group, used)
        errors = np.empty(used, dtype=np.int32)
        residues = np.empty((len(plan.primes), used), dtype=np.uint32)
        rows = block.reshape(len(plan.primes), -1)

        def encode(first: int) -> int:
            largest = messages(
                read, first, min(first + _STRETCH, used), packing.slots, plan.together, np.uint32(packing.base), errors,
                plan.weights, plan.weight_quotients, plan.primes, residues,
            )
            return int(largest)

        def hide(index: int) -> None:
            row = masks.row(group, index, used)
            add_residues(row, residues[index], plan.primes[index])
            write_row(row, packing.ring.bits, rows[index])

        try:
            draw(words, gaussian(SIGMA_ERROR).thresholds, errors)
            if max(self._spread(encode, range(0, used, _STRETCH))) >= packing.base:
                raise InputError("rlwe.value-out-of-range", "a value is larger than a slot can hold",
                                 expected=f"values below {packing.base}")
            self._each(hide, len(rows))
        finally:
            for array in (words, errors, residues):
                array[:] = 0

    def total(self, packing: Packing, length: int) -> Words:
        """Return a total of nothing, uint32 ``(packing.residues(length),)``."""
        return np.zeros(packing.residues(length), dtype=np.uint32)

    def add(self, packing: Packing, length: int, total: Words, group: int, block: Block) -> None:
        """Add one group's block to a total, in place."""
        bits, primes, sums = packing.ring.bits, packing.ring.primes, _rows(packing, length, total, group)
        size, expected = memoryview(block).nbytes, packing.block_bytes(length, group)
        if size != expected:
            raise ProtocolError("rlwe.wrong-length", "the block of a group has the wrong length",
                                got=f"{size} bytes", expected=f"{expected} bytes")
        rows = np.require(np.frombuffer(block, dtype="<u4"), requirements="A").reshape(len(primes), -1)
        for index, prime in enumerate(primes):
            if largest_residue(rows[index], bits) >= prime:
                raise ProtocolError("rlwe.residue-out-of-range", "a residue is not below its prime",
                                    got=f"row {index} of group {group}", expected=f"residues below {prime}")
        self._each(lambda index: add_row(rows[index], bits, sums[index], np.uint32(primes[index])), len(primes))

    def write(self, packing: Packing, length: int, total: Words) -> Octets:
        """Return a total in the form of a payload."""
        _check_total(packing, length, total)
        written, bits = [], packing.ring.bits
        for start in range(0, total.size, _WRITTEN):  # rows fill whole words, so all of them are one long row
            row = total[start : start + _WRITTEN]
            words = np.empty(row.size * bits // 32, dtype=np.uint32)
            write_row(row, bits, words)
            written.append(words.view(np.uint8).data)
        return gathered(written)

    def open(
        self,
        packing: Packing,
        length: int,
        total: Words,
        *,
        public_seed: bytes,
        key_sum: NDArray[np.int32],
    ) -> Iterator[NDArray[np.uint32]]:
        """Yield the sums of the values, one array per group in order."""
        with Masks(packing.ring, key_sum, public_seed) as masks:
            for group in range(packing.groups(length)):
                start, stop = packing.span(length, group)
                sums = self._open_group(packing, _rows(packing, length, total, group), group, masks)
                yield sums.reshape(-1)[: stop - start]

    def _open_group(self, packing: Packing, rows: Words, group: int, masks: Masks) -> Words:
        plan, used = plan_for(packing), rows.shape[1]
        residues = np.empty(rows.shape, dtype=np.uint32)
        sums = np.empty((packing.slots, used), dtype=np.uint32)
        step, noise, base = np.uint32(packing.step), np.uint32(2 * packing.noise), np.uint32(packing.base)

        def take_off(index: int) -> None:
            prime = plan.primes[index]
            difference(rows[index], masks.row(group, index, used), np.uint32(packing.noise % prime), prime,
                       residues[index])

        def read(first: int) -> int:
            return decode(
                residues.reshape(-1), first, min(first + _STRETCH, used), plan.primes, plan.inverses,
                plan.inverse_quotients, plan.limit, step, noise, plan.divisor, plan.lengths, base, plan.together, sums,
            )

        self._each(take_off, len(rows))
        wrong = sum(self._spread(read, range(0, used, _STRETCH)))
        if wrong:
            raise ProtocolError("rlwe.noise-out-of-range", "the noise of a sum is beyond its bound",
                                got=f"{wrong} of {used} positions in group {group}", expected="none",
                                hint="a key, a seed or a ciphertext is not the one that was agreed")
        return sums

    def _each(self, function: Callable[[int], None], count: int) -> None:
        for _ in self._spread(function, range(count)):
            pass


def _read(values: Values, start: int, stop: int) -> Words:
    """Return some of the values, as the kernels take them."""
    read = values.read(start, stop)
    if read.dtype != np.uint32 or read.shape != (stop - start,):
        raise InputError("rlwe.wrong-values", "values were not read as they must be",
                         got=f"{read.dtype} of shape {read.shape}", expected=f"uint32 of shape ({stop - start},)")
    return np.require(read, requirements=("C", "A"))


def _rows(packing: Packing, length: int, total: Words, group: int) -> Words:
    """Return one group of a total, ``(primes, U)``, as a view."""
    _check_total(packing, length, total)
    shape = len(packing.ring.primes), packing.used(length, group)
    return total[packing.offset(group) :][: shape[0] * shape[1]].reshape(shape)


def _check_total(packing: Packing, length: int, total: Words) -> None:
    expected = packing.residues(length)
    if total.dtype != np.uint32 or total.shape != (expected,) or not total.flags.c_contiguous:
        raise InputError("rlwe.wrong-total", "this is no total of this packing and length",
                         got=f"{total.dtype} of shape {total.shape}", expected=f"uint32 of shape ({expected},)")
