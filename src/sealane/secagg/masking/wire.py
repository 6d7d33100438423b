"""64-bit words of which only the lowest ``bits`` matter, written for the wire without the rest.

Words go in blocks of 2^15. A block is a row of planes, each holding so many bits of all its words: first the lowest
32 bits, then whatever of 32, 16, 8, 4, 2 and 1 bits ``bits`` - 32 is made of, the larger ones first. Planes of 8 bits
and more are little-endian integers, word after word. In a plane of p < 8 bits over n words, byte g of
G = ceil(n p / 8) holds those of words g, g + G, g + 2 G, ... from its lowest bit up; what belongs to no word is zero.
So every pass over a block is one over neighbouring memory, and a full block takes exactly 2^15 bits / 8 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError, ProtocolError
from sealane.ring.words import Words

BLOCK = 1 << 15
"""Words of a full block: 256 KiB, so that a block and a mask for it lie in a core's second-level cache."""
WORD_BITS = range(33, 65)
_PLANES = (32, 16, 8, 4, 2, 1)


class Wire:
    """The form on the wire of vectors of ``words`` words of ``bits`` bits. It has working memory, so one thread only.

    Raises:
        InputError: words on the wire have 33 to 64 bits.
    """

    def __init__(self, words: int, bits: int) -> None:
        if bits not in WORD_BITS or words < 0:
            raise InputError("masking.bad-words", "words on the wire have 33 to 64 bits", got=f"{words} of {bits} bits")
        self.words = words
        self.bits = bits
        self.size = _size(words, bits)
        self._planes = _planes(bits)
        count = min(words, BLOCK)
        self._incoming = np.zeros(count, dtype="<u8")  # bits that no plane holds stay zero
        self._octets = np.empty(count, dtype=np.uint8)
        self._pieces = np.empty(count, dtype=np.uint8)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield where each block lies: its words, and its bytes."""
        offset = 0
        for low in range(0, self.words, BLOCK):
            count = min(BLOCK, self.words - low)
            size = _block_bytes(count, self.bits)
            yield slice(low, low + count), slice(offset, offset + size)
            offset += size

    def write(self, words: Words, out: NDArray[np.uint8]) -> None:
        """Write one block's words to its bytes; bits from ``bits`` up are dropped."""
        count, low, position = words.size, 32, 4 * words.size
        words = words.astype("<u8", copy=False)
        out[:position].view("<u4")[:] = words  # a conversion to a narrower integer drops the upper bits
        if any(plane < 8 for plane in self._planes):
            # The planes under 8 bits lie in one byte of the word, one above the other.
            np.copyto(self._octets[:count], words.view(np.uint8)[self.bits // 8 :: 8])
        for plane in self._planes:
            target = out[position : position + -(-count * plane // 8)]
            if plane >= 8:
                target.view(f"<u{plane // 8}")[:] = words.view(f"<u{plane // 8}")[low // plane :: 64 // plane]
            else:
                self._narrow(self._octets[:count], low % 8, plane, target)
            position += target.size
            low += plane

    def add(self, total: Words, block: NDArray[np.uint8]) -> None:
        """Add one block's bytes to its words of a total, in place.

        Raises:
            ProtocolError: bits that belong to no word are set. The total is left as it was.
        """
        count, low, position = total.size, 32, 4 * total.size
        incoming, octets = self._incoming[:count], self._octets[:count]
        incoming.view("<u4")[::2] = block[:position].view("<u4")
        octets[:] = 0
        for plane in self._planes:
            source = block[position : position + -(-count * plane // 8)]
            if plane >= 8:
                incoming.view(f"<u{plane // 8}")[low // plane :: 64 // plane] = source.view(f"<u{plane // 8}")
            else:
                self._widen(source, low % 8, plane, octets)
            position += source.size
            low += plane
        if self.bits % 8:
            incoming.view(np.uint8)[self.bits // 8 :: 8] = octets
        np.add(total, incoming, out=total)

    def _narrow(self, octets: NDArray[np.uint8], low: int, plane: int, out: NDArray[np.uint8]) -> None:
        """Write the ``plane`` bits from ``low`` up of each octet."""
        pieces = self._pieces[: octets.size]
        np.right_shift(octets, np.uint8(low), out=pieces)
        np.bitwise_and(pieces, np.uint8((1 << plane) - 1), out=pieces)
        out[:] = pieces[: out.size]
        for part in range(1, 8 // plane):
            column = pieces[part * out.size : (part + 1) * out.size]
            column *= np.uint8(1 << (part * plane))  # shifts of bytes to the left are not vectorised
            out[: column.size] |= column

    def _widen(self, source: NDArray[np.uint8], low: int, plane: int, octets: NDArray[np.uint8]) -> None:
        """Read what :meth:`_narrow` wrote into the bits of octets that are zero so far."""
        for part in range(8 // plane):
            piece = self._pieces[: source.size]
            np.right_shift(source, np.uint8(part * plane), out=piece)
            np.bitwise_and(piece, np.uint8((1 << plane) - 1), out=piece)
            np.multiply(piece, np.uint8(1 << low), out=piece)
            column = octets[part * source.size : (part + 1) * source.size]
            column |= piece[: column.size]
            if piece[column.size :].any():
                raise ProtocolError("masking.stray-bits", "a masked vector has bits set that belong to no word")


def words_in(size: int, bits: int) -> int:
    """Return how many words of ``bits`` bits a payload of ``size`` bytes holds.

    Raises:
        ProtocolError: no payload has that size, or no word that many bits.
    """
    if bits not in WORD_BITS:
        raise ProtocolError("masking.bad-word", "words on the wire have 33 to 64 bits", got=f"{bits} bits")
    full, rest = divmod(size, BLOCK // 8 * bits)
    words = full * BLOCK + rest * 8 // bits  # planes are rounded up by less than a word together
    if _size(words, bits) == size:
        return words
    raise ProtocolError("masking.wrong-length", "no masked vector has this length", got=f"{size} bytes")


def _size(words: int, bits: int) -> int:
    full, rest = divmod(words, BLOCK)
    return full * (BLOCK // 8) * bits + _block_bytes(rest, bits)


def _block_bytes(words: int, bits: int) -> int:
    return 4 * words + sum(-(-words * plane // 8) for plane in _planes(bits))


def _planes(bits: int) -> list[int]:
    """Return the planes above the lowest 32 bits."""
    return [plane for plane in _PLANES if (bits - 32) & plane]
