"""Names and identifiers: what they may look like, and how a new one is made."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NewType

from sealane.core.entropy import random_bytes
from sealane.errors import InputError

Fingerprint = NewType("Fingerprint", str)
"""SHA-256 of a party's Ed25519 public key, in 52 characters of lower-case base32."""

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
CONTRACT_ID = re.compile(r"[a-z][a-z0-9-]{0,31}\.[a-z][a-z0-9-]{0,62}/v[1-9][0-9]{0,3}")
FINGERPRINT = re.compile(r"[a-z2-7]{51}[aq]")
RUN_ID = re.compile(r"r-[a-z2-7]{16}")


def fingerprint(public_key: bytes) -> Fingerprint:
    """Return the fingerprint of a raw 32-byte Ed25519 public key."""
    digest = hashlib.sha256(b"sealane fingerprint v1\x00" + public_key).digest()
    return Fingerprint(base64.b32encode(digest).decode("ascii").rstrip("=").lower())


def check_name(text: str, what: str = "name") -> str:
    """Return ``text`` if it is a legal name of a party or dataset.

    Raises:
        InputError: it is not.
    """
    if not NAME.fullmatch(text):
        raise InputError("name.malformed", f"{what} is malformed", got=repr(text[:80]), expected=NAME.pattern)
    return text


def check_fingerprint(text: str) -> Fingerprint:
    """Return ``text`` (dashes and spaces dropped) as a fingerprint.

    Raises:
        InputError: it is not one.
    """
    plain = text.replace("-", "").replace(" ", "").lower()
    if not FINGERPRINT.fullmatch(plain):
        raise InputError("fingerprint.malformed", "fingerprint is malformed", got=repr(text[:80]),
                         expected="52 characters of base32",
                         hint="its owner reads it out whole from `sealane node status`")
    return Fingerprint(plain)


def new_run_id() -> str:
    """Return a fresh run id: ``r-`` and 80 random bits."""
    return "r-" + base64.b32encode(random_bytes(10)).decode("ascii").lower()
