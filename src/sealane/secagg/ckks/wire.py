"""What crosses between the owner and the model's holder: a fixed header, then residues as 64-bit words.

Every size follows from the header and the parameter set, so there is exactly one right length.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np

from sealane.errors import ProtocolError
from sealane.secagg.ckks.library import POLYNOMIALS, Context, Residues

_MAGIC: Final = b"sealckks"
_VERSION: Final = 1
_HEADER = struct.Struct("<8sBB32s32sII")  # magic, version, kind, parameter set, public key, rows, objects
LARGEST_COLUMNS: Final = 1024
"""Features of a request: 400 MB at most."""


class Kind(IntEnum):
    """What a message is."""

    PUBLIC_KEY = 1
    REQUEST = 2
    ANSWER = 3


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A message that has its right form.

    Args:
        key: SHA-256 of the public key that it was made under; zeros in a public key itself.
        rows: rows that are scored.
        residues: uint64 ``(objects, 2, primes, N)``, not yet compared with their primes.
    """

    key: bytes
    rows: int
    residues: Residues = field(repr=False)


def fingerprint(context: Context) -> bytes:
    """Return the hash of a parameter set and the primes that stand for it."""
    named = [context.parameters.name, context.parameters.degree, context.parameters.scale_bits, *context.primes]
    return hashlib.sha256(" ".join(map(str, named)).encode()).digest()


def write(context: Context, kind: Kind, key: bytes, rows: int, residues: Residues) -> bytes:
    """Return a message with residues uint64 ``(objects, 2, primes, N)``."""
    header = _HEADER.pack(_MAGIC, _VERSION, kind, fingerprint(context), key, rows, residues.shape[0])
    return header + residues.astype("<u8").tobytes()


def read(context: Context, kind: Kind, data: bytes, *, levels: int) -> Message:
    """Read a message from another party.

    Args:
        context: the parameter set that both sides agreed on.
        kind: what it has to be.
        data: the bytes.
        levels: primes that its residues are under.

    Raises:
        ProtocolError: another form, kind, parameter set or length.
    """
    if len(data) < _HEADER.size:
        raise ProtocolError("ckks.wrong-length", "the message is shorter than its header", got=f"{len(data)} bytes",
                            expected=f"{_HEADER.size} bytes or more")
    magic, version, got_kind, parameters, key, rows, objects = _HEADER.unpack_from(data)
    most = LARGEST_COLUMNS if kind == Kind.REQUEST else 1
    if (magic, version, got_kind, parameters) != (_MAGIC, _VERSION, kind, fingerprint(context)):
        raise ProtocolError("ckks.wrong-header", "the message is of another kind or another parameter set",
                            expected=f"{kind.name.lower().replace('_', ' ')} under {context.parameters.name}",
                            hint="both sides have to use the same parameter set and the same version of TenSEAL")
    if not (1 <= objects <= most and 1 <= rows <= context.parameters.slots):
        raise ProtocolError("ckks.wrong-header", "the message announces more than it may hold",
                            got=f"{objects} objects, {rows} rows",
                            expected=f"1 to {most} objects, 1 to {context.parameters.slots} rows")
    shape = (objects, POLYNOMIALS, levels, context.parameters.degree)
    right = _HEADER.size + 8 * objects * POLYNOMIALS * levels * context.parameters.degree
    if len(data) != right:
        raise ProtocolError("ckks.wrong-length", "the message has the wrong length", got=f"{len(data)} bytes",
                            expected=f"{right} bytes")
    return Message(key, rows, np.frombuffer(data, "<u8", offset=_HEADER.size).reshape(shape))


def key_hash(public: bytes) -> bytes:
    """Return what a request and an answer name their public key by."""
    return hashlib.sha256(public).digest()
