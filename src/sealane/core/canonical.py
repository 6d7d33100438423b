"""One byte string for one meaning: RFC 8785 JSON and the hashes taken over it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import rfc8785

from sealane.core.octets import Buffer, Octets, stretches
from sealane.errors import InputError

_MOST = 2.0**53 - 1
"""Largest integer that JSON carries exactly: RFC 8785, appendix B, writes a float beyond it without a point too."""


def canonical_bytes(value: Any) -> bytes:
    """Return the RFC 8785 (JCS) encoding of a JSON-ready value.

    Raises:
        InputError: the value holds something JSON cannot carry exactly (NaN, infinity, an integer over 2^53, a lone
            surrogate).
    """
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:  # rfc8785's own, and lone surrogates in a name, are ValueErrors
        raise InputError("canonical.not-json", "value has no canonical JSON form", got=type(error).__name__) from error


def parse_canonical(data: bytes, *, limit: int = 1 << 20) -> Any:
    """Parse bytes that claim to be canonical JSON, and refuse any other spelling of the same value.

    A whole number is an int up to 2^53 - 1 and a float beyond: only floats are written so.

    Raises:
        InputError: too long, not JSON, or not the canonical spelling.
    """
    if len(data) > limit:
        raise InputError("canonical.too-large", "document is too large", got=len(data), expected=f"at most {limit}")
    try:
        value = json.loads(data.decode("utf-8"), parse_int=_whole)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError("canonical.not-json", "document is not JSON", got=type(error).__name__) from error
    if canonical_bytes(value) != data:
        raise InputError("canonical.not-canonical", "document is not in RFC 8785 form", hint="re-encode it")
    return value


def _whole(text: str) -> int | float:
    value = float(text)
    return int(text) if abs(value) <= _MOST else value


def sha256(*parts: Octets) -> bytes:
    """Return SHA-256 over the parts, each preceded by its length as 8 big-endian bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        for piece in [part] if isinstance(part, Buffer) else stretches(part):
            digest.update(piece)
    return digest.digest()


def content_hash(value: Any) -> bytes:
    """Return plain SHA-256 over the canonical bytes of a JSON-ready value (32 bytes)."""
    return hashlib.sha256(canonical_bytes(value)).digest()
