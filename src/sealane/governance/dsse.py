"""The DSSE envelope of what was signed. Source: DSSE v1.0.2 (secure-systems-lab), envelope."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any


def write_dsse(kind: str, body: bytes, signatures: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    """Return an envelope, JSON-ready, with each signature beside the fingerprint of its key."""
    return {"payload": base64.b64encode(body).decode("ascii"), "payloadType": kind,
            "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode("ascii")}
                           for keyid, signature in signatures]}


def read_dsse(content: Any) -> tuple[str, bytes, tuple[tuple[str, bytes], ...]]:
    """Return kind, body and signatures of an envelope; nothing of it is verified.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is none.
    """
    signatures = tuple((str(one["keyid"])[:64], base64.b64decode(one["sig"], validate=True))
                       for one in content["signatures"])
    return str(content["payloadType"]), base64.b64decode(content["payload"], validate=True), signatures
