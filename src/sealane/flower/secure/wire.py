"""The messages of a secure sum as bytes. A form of its own: Flower's processes hold a gRPC that ``rpc`` would refuse.

Each value is written by its kind and read by the kind that a message's field declares, so that what was read has the
types that it says; lengths of keys and signatures are checked where they are used.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from sealane.core.ids import FINGERPRINT, RUN_ID, Fingerprint
from sealane.core.octets import Octets
from sealane.errors import ProtocolError

M = TypeVar("M")
_COUNT = struct.Struct(">Q")
_INTEGER = struct.Struct(">q")
MOST_ITEMS = 1 << 16


def write(message: Any) -> bytes:
    """Write a message of :mod:`sealane.secagg.messages`."""
    parts: list[bytes] = []
    _write(message, parts)
    return b"".join(parts)


def read(data: object, kind: type[M]) -> M:
    """Read a message of a kind.

    Raises:
        ProtocolError: the bytes are none of that kind.
    """
    try:
        if not isinstance(data, bytes):
            raise ValueError(type(data).__name__)
        reader = _Reader(data)
        message: M = reader.value(kind)
        if reader.at != len(data):
            raise ValueError("bytes are left over")
        run = getattr(message, "run_id", None)
        if run is not None and not RUN_ID.fullmatch(run):
            raise ValueError("no run id")
    except (ValueError, struct.error) as error:
        raise ProtocolError("flower.step-malformed", "a step of a secure sum is malformed", got=str(error)[:80],
                            expected=kind.__name__) from None
    return message


def _write(value: Any, parts: list[bytes]) -> None:
    match value:
        case bool() | int():
            parts.append(_INTEGER.pack(value))
        case str() | bytes():
            data = value.encode() if isinstance(value, str) else value
            parts += (_COUNT.pack(len(data)), data)
        case tuple():
            parts.append(_COUNT.pack(len(value)))
            for one in value:
                _write(one, parts)
        case Mapping():
            parts.append(_COUNT.pack(len(value)))
            for key in sorted(value):
                _write(key, parts)
                _write(value[key], parts)
        case _:
            for field in fields(value):
                _write(getattr(value, field.name), parts)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, kind: Any) -> Any:
        """Read a value of a kind; ValueError where there is none."""
        if is_dataclass(kind) and isinstance(kind, type):
            return kind(**{name: self.value(hint) for name, hint in _hints(kind).items()})
        if get_origin(kind) is tuple:
            return tuple(self.value(get_args(kind)[0]) for _ in range(self._count(MOST_ITEMS)))
        if get_origin(kind) is Mapping:
            of, to = get_args(kind)
            count = self._count(MOST_ITEMS)
            read = {self.value(of): self.value(to) for _ in range(count)}
            if len(read) != count:
                raise ValueError("a key is there twice")
            return read
        if kind is bool or kind is int:
            (number,) = _INTEGER.unpack(self._take(_INTEGER.size))
            if (kind is bool and number not in (0, 1)) or number < 0:
                raise ValueError("a number is out of range")
            return kind(number)
        data = self._take(self._count(len(self._data)))
        if kind is bytes or kind == Octets:
            return data
        text = data.decode()
        if kind is Fingerprint and not FINGERPRINT.fullmatch(text):
            raise ValueError("no fingerprint")
        return text

    def _count(self, most: int) -> int:
        (count,) = _COUNT.unpack(self._take(_COUNT.size))
        if count > most:
            raise ValueError("too many")
        return int(count)

    def _take(self, length: int) -> bytes:
        part = self._data[self.at : self.at + length]
        if len(part) != length:
            raise ValueError("bytes are missing")
        self.at += length
        return part


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
