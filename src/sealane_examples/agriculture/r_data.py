"""Reading one data frame of factors from an R data file, without R.

Only what such a file needs is understood: lists, symbols, texts, integers, logicals, numbers and their attributes, in
R's XDR form. Anything else is refused, and nothing in the file is ever run.
Source: R Core Team, R Internals, section 1.8, Serialization Formats.
"""

from __future__ import annotations

import lzma
import struct
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sealane.errors import InputError

MAXIMUM_BYTES = 64 << 20
NIL, REFERENCE, SYMBOL, PAIRS, TEXT, LOGICAL, INTEGER, NUMBER, TEXTS, LIST = 254, 255, 1, 2, 9, 10, 13, 14, 16, 19
MISSING = -(2**31)


@dataclass(frozen=True, slots=True)
class Held:
    """A vector with its attributes."""

    values: list[Any]
    attributes: dict[str, Any]


@dataclass(slots=True)
class Reader:
    """What is left of the bytes, and the symbols that were seen."""

    data: bytes
    place: int = 0
    symbols: list[str] = field(default_factory=list)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if not 0 <= count <= len(self.data) - self.place:
            raise malformed("it ends early")
        self.place += count
        return self.data[self.place - count:self.place]

    def integers(self, count: int) -> list[int]:
        """Return the next integers."""
        return list(struct.unpack(f">{count}i", self.take(4 * count)))

    def length(self) -> int:
        """Return the length of a vector."""
        found, = self.integers(1)
        if found < 0:
            raise malformed("a vector is too long")
        return found

    def item(self) -> Any:
        """Return the next item: None, a text, a dict of tagged pairs, or a vector."""
        flags, = self.integers(1)
        kind, attributed, tagged = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        match kind:
            case 254:
                return None
            case 255:
                return self.symbols[(flags >> 8 or self.length()) - 1]
            case 1:
                self.symbols.append(str(self.item()))
                return self.symbols[-1]
            case 2:
                return self.pairs(attributed=attributed, tagged=tagged)
            case 9:
                size, = self.integers(1)
                return None if size == -1 else self.take(size).decode("utf-8", errors="replace")
        values = self.values(kind)
        return Held(values, (self.item() or {}) if attributed else {})

    def pairs(self, *, attributed: bool, tagged: bool) -> dict[str, Any]:
        """Return a pairlist by its tags."""
        if attributed:
            self.item()
        name = str(self.item()) if tagged else ""
        first = self.item()
        return {name: first} | (self.item() or {})

    def values(self, kind: int) -> list[Any]:
        """Return the values of a vector."""
        count = self.length()
        if kind in (LOGICAL, INTEGER):
            return [None if value == MISSING else value for value in self.integers(count)]
        if kind == NUMBER:
            return list(struct.unpack(f">{count}d", self.take(8 * count)))
        if kind in (TEXTS, LIST):
            return [self.item() for _ in range(count)]
        raise malformed(f"it holds an item of type {kind}")


def data_frame(content: bytes, name: str) -> pd.DataFrame:
    """Return a data frame of an ``.rda`` file that is packed with xz, factors as texts.

    Raises:
        InputError: it is no such file, or holds no such data frame.
    """
    try:
        data = lzma.LZMADecompressor().decompress(content, max_length=MAXIMUM_BYTES)
        if not data.startswith(b"RDX2\nX\n"):
            raise malformed("it is not in R's XDR form of version 2")
        reader = Reader(data, place=19)  # the magic, the format and three numbers of versions
        frame = (reader.item() or {})[name]
        columns = frame.attributes["names"].values
        return pd.DataFrame({column: factor(held) for column, held in zip(columns, frame.values, strict=True)})
    except (lzma.LZMAError, AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise malformed(type(error).__name__) from error


def factor(held: Held) -> list[Any]:
    """Return a column's values, those of a factor as its levels."""
    levels = held.attributes.get("levels")
    if levels is None:
        return held.values
    return [None if value is None else levels.values[value - 1] for value in held.values]


def malformed(why: str) -> InputError:
    """Return the error for a file that is not what was expected."""
    return InputError("example.source-changed", "the R data file cannot be read", got=why)
