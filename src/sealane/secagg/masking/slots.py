"""Updates under masks: several integers to a 64-bit word, blinded by AES streams, block by block.

A slot is wide enough for the sum of a whole cohort, so words add up without a carry from one slot into the next; masks
do carry, and cancel modulo 2^64 all the same. A word holds floor(64 / width) slots. In a block of n words (2^15, or
fewer in the last), value i of the block is slot i // n of word i % n; slots without a value are zero.

A mask is the AES-256-CTR stream of a key that serves nothing else, from counter block 2 on, read as little-endian
64-bit words. That is the stream of AES-256-GCM under a nonce of zeros, and is made with it: OpenSSL has code for wide
vector registers for that mode only, which is twice as fast. The authentication tag is never asked for.

Source: NIST SP 800-38A section 6.5 (CTR), SP 800-38D section 7.1 (its use in GCM).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from sealane.core.octets import Octets, gathered, stretch
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.ring.base import Values
from sealane.ring.words import Words
from sealane.secagg.masking.wire import BLOCK, Wire, words_in

WIDEST = 32
_ZEROS = memoryview(bytes(8 * BLOCK))

Keys = Sequence[tuple[Secret, bool]]
"""Keys of masks, 32 bytes each, and whether the mask is added (True) or taken off."""


def slot_width(most: int) -> int:
    """Return the bits of a slot whose sum over the cohort is at most ``most``.

    Raises:
        InputError: no slot holds that much.
    """
    width = most.bit_length()
    if not 1 <= width <= WIDEST:
        raise InputError("sum.too-wide", "the cohort's sum of an update's entry does not fit 32 bits",
                         got=f"{width} bits", hint="quantise to fewer bits, or add less noise")
    return width


def word_bits(width: int) -> int:
    """Return how many bits of a word its slots take: what a coordinator must know to add payloads up."""
    return 64 // width * width


def words_for(length: int, width: int) -> int:
    """Return how many words ``length`` slots take."""
    return -(-length // (64 // width))


def mask(values: Values, width: int, keys: Keys) -> Octets:
    """Return the masked vector, in the form for the wire.

    Args:
        values: each below 2^width, and so is the sum over the cohort.
        width: bits of a slot, 1 to 32.
        keys: one for every mask.

    Raises:
        InputError: a value does not fit its slot.
    """
    slots, length = 64 // width, len(values)
    wire = Wire(words_for(length, width), word_bits(width))
    words, scratch = np.empty((2, min(BLOCK, wire.words)), dtype=np.uint64)
    masks = _Masks(keys)
    payload = np.empty(wire.size, dtype=np.uint8)
    for place, written in wire.blocks():
        block = words[: place.stop - place.start]
        start = place.start * slots
        _pack(values.read(start, min(start + block.size * slots, length)), width, block, scratch)
        masks.apply(block)
        wire.write(block, payload[written])
    return gathered([payload.data])


class MaskedTotal:
    """Masked vectors added up: the memory of one, however many there are.

    Args:
        words: how many words each has.
        bits: how many bits of a word matter.
    """

    def __init__(self, words: int, bits: int) -> None:
        self._wire = Wire(words, bits)
        self._words = np.zeros(words, dtype=np.uint64)

    @classmethod
    def for_payloads(cls, size: int, bits: int) -> MaskedTotal:
        """Return an empty total for payloads of ``size`` bytes.

        Raises:
            ProtocolError: no payload has that form.
        """
        return cls(words_in(size, bits), bits)

    def add(self, payload: Octets) -> None:
        """Add a masked vector, or a total that was written.

        Raises:
            ProtocolError: it has another length, or bits set that belong to no word. The total is spoilt.
        """
        if len(payload) != self._wire.size:
            raise ProtocolError("masking.wrong-length", "a masked vector has the wrong length",
                                got=f"{len(payload)} bytes", expected=f"{self._wire.size} bytes")
        for place, written in self._wire.blocks():
            received = np.frombuffer(stretch(payload, written.start, written.stop), dtype=np.uint8)
            self._wire.add(self._words[place], received)

    def write(self) -> Octets:
        """Return the total, in the form of a masked vector."""
        return gathered([_written(self._wire, self._words[place], written) for place, written in self._wire.blocks()])

    def unmask(self, length: int, width: int, keys: Keys) -> Iterator[NDArray[np.uint32]]:
        """Yield the sums of ``length`` values in order, uint32, with the masks of ``keys`` taken off again.

        Args:
            length: how many values there are.
            width: bits of a slot.
            keys: as the masks that have not cancelled were applied with.

        Raises:
            InputError: the total is not one of that many slots.
            ProtocolError: a slot without a value is not zero: somebody lied about a contribution, a share or the total.
        """
        if (self._wire.words, self._wire.bits) != (words_for(length, width), word_bits(width)):
            raise InputError("masking.bad-total", "the total is not one of this many values",
                             got=f"{self._wire.words} words of {self._wire.bits} bits",
                             expected=f"{words_for(length, width)} words of {word_bits(width)} bits")
        slots = 64 // width
        masks = _Masks([(key, not added) for key, added in keys])
        words, scratch = np.empty((2, min(BLOCK, self._wire.words)), dtype=np.uint64)
        for place, _ in self._wire.blocks():
            block = words[: place.stop - place.start]
            np.copyto(block, self._words[place])
            masks.apply(block)
            values = _unpack(block, width, scratch)
            used = min(length - place.start * slots, values.size)
            if values[used:].any():
                raise ProtocolError("masking.slots-not-empty", "the opened sum has slots filled that hold no value",
                                    hint="a node or the coordinator lied: the run cannot be trusted")
            yield values[:used]


class _Masks:
    """The streams of some keys, each with one cipher for all its blocks."""

    def __init__(self, keys: Keys) -> None:
        self._streams = [(_stream(key), np.add if added else np.subtract) for key, added in keys]
        self._mask = np.empty(BLOCK, dtype="<u8")

    def apply(self, words: Words) -> None:
        """Add or take off the next words of every stream, in place."""
        mask = self._mask[: words.size]
        zeros, buffer = _ZEROS[: mask.nbytes], memoryview(mask.data).cast("B")
        for stream, combine in self._streams:
            stream.update_into(zeros, buffer)
            combine(words, mask, out=words)


def _written(wire: Wire, block: Words, place: slice) -> memoryview:
    """Return the bytes of a block, in memory of their own."""
    out = np.empty(place.stop - place.start, dtype=np.uint8)
    wire.write(block, out)
    return out.data


def _stream(key: Secret) -> CipherContext:
    return Cipher(algorithms.AES256(key.reveal()), modes.GCM(bytes(12))).encryptor()


def _pack(values: NDArray[np.uint32], width: int, words: Words, scratch: Words) -> None:
    if values.size and int(values.max()) >> width:
        raise InputError("masking.too-large", "a value does not fit its slot", expected=f"below 2^{width}")
    for slot in range(64 // width):
        column = values[slot * words.size : (slot + 1) * words.size]
        if slot == 0:
            words[:] = column  # of all slots the first is always full
            continue
        part = scratch[: column.size]
        part[:] = column
        part <<= np.uint64(slot * width)
        words[: column.size] |= part


def _unpack(words: Words, width: int, scratch: Words) -> NDArray[np.uint32]:
    values = np.empty((64 // width, words.size), dtype=np.uint32)
    shifted = scratch[: words.size]
    for slot, row in enumerate(values):
        np.right_shift(words, np.uint64(slot * width), out=shifted)
        np.copyto(row, shifted, casting="unsafe")  # drops what lies above 32 bits
        row &= np.uint32((1 << width) - 1)
    return values.reshape(-1)
