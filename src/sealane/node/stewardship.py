"""A steward's signature under one request to a node: made with a key of the steward's own, good once.

The key lies in the steward's home, not in the node's. A request names the node, the moment and a nonce, so that it is
good for no other node, no later day and no second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sealane.core.canonical import canonical_bytes
from sealane.core.clock import from_text, to_text
from sealane.core.entropy import random_bytes, random_secret
from sealane.core.ids import Fingerprint, check_name, fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.rpc.keyfiles import make_private_directory, read_private, write_private

REQUEST = "application/vnd.sealane.steward-request+json"
KEY_FILE = "steward.key"
NAME_FILE = "steward.name"
FRESH = timedelta(minutes=5)
NONCE_BYTES = 16
FIELDS = {"public_key", "at", "nonce", "signature"}


@dataclass(frozen=True, slots=True)
class Steward:
    """A steward's own name and key."""

    name: str
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request carries beside its command: who signed it, when, and a nonce."""

    public_key: bytes
    at: str
    nonce: str
    signature: bytes

    @property
    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the key."""
        return fingerprint(self.public_key)


def make_steward(home: Path, name: str) -> Steward:
    """Make a steward's key in a home of its own.

    Raises:
        RefusedError: there is a key already.
        InputError: the name is malformed.
    """
    make_private_directory(home)
    if (home / KEY_FILE).exists():
        raise RefusedError("steward.key-exists", "this home holds a steward's key already", got=str(home),
                           hint="show it with `sealane steward show`, or name another --home")
    seed = random_secret()
    write_private(home / NAME_FILE, check_name(name, "steward's name").encode("ascii"))
    write_private(home / KEY_FILE, seed.reveal())
    return Steward(name, SigningKey(seed))


def load_steward(home: Path) -> Steward:
    """Read a steward's key.

    Raises:
        InputError: there is none, or it is malformed.
        RefusedError: others may read it.
    """
    seed = read_private(home / KEY_FILE)
    name = read_private(home / NAME_FILE).decode("ascii", errors="replace")
    if len(seed) != 32:
        raise InputError("steward.key-malformed", "a steward's key is malformed", got=f"{len(seed)} bytes",
                         expected="32 bytes", hint="make another with `sealane steward init`, and have it appointed")
    return Steward(check_name(name, "steward's name"), SigningKey(Secret(seed)))


def sign_request(
    key: SigningKey, node: str, command: str, arguments: Mapping[str, Any], now: datetime
) -> dict[str, str]:
    """Sign a request to a node, whose fingerprint is given; returns what goes into the request."""
    at, nonce = to_text(now), random_bytes(NONCE_BYTES).hex()
    signature = key.sign(REQUEST, _body(node, command, arguments, at, nonce))
    return {"public_key": key.public_key.hex(), "at": at, "nonce": nonce, "signature": signature.hex()}


def read_signed(fields: Mapping[str, Any]) -> Signed:
    """Read what a request carries; nothing is verified yet.

    Raises:
        InputError: it is malformed.
    """
    try:
        if set(fields) != FIELDS or not all(isinstance(value, str) and len(value) <= 128 for value in fields.values()):
            raise ValueError
        signed = Signed(bytes.fromhex(fields["public_key"]), to_text(from_text(fields["at"])),
                        bytes.fromhex(fields["nonce"]).hex(), bytes.fromhex(fields["signature"]))
        if (len(signed.public_key), len(signed.nonce), len(signed.signature)) != (32, 2 * NONCE_BYTES, 64):
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError("steward.malformed", "a steward's signature is malformed",
                         expected=", ".join(sorted(FIELDS))) from None
    return signed


def check_request(
    signed: Signed, node: str, command: str, arguments: Mapping[str, Any], now: datetime
) -> None:
    """Check that a key signed exactly this request to this node, a moment ago.

    Raises:
        RefusedError: another request, another node, or too long ago.
    """
    try:
        verify(signed.public_key, REQUEST, _body(node, command, arguments, signed.at, signed.nonce), signed.signature)
    except ProtocolError as error:
        raise RefusedError("steward.signature", "the steward's signature is not under this request",
                           got=f"key {signed.fingerprint}", hint="was it made for another node?") from error
    if abs(now - from_text(signed.at)) > FRESH:
        raise RefusedError("steward.stale", "the steward's signature is not of this moment", got=signed.at,
                           expected=f"within {FRESH.seconds // 60} minutes of {to_text(now)}",
                           hint="check the clocks of both machines, and repeat the command")


def _body(node: str, command: str, arguments: Mapping[str, Any], at: str, nonce: str) -> bytes:
    return canonical_bytes({"node": node, "command": command, "arguments": dict(arguments), "at": at, "nonce": nonce})
