"""The two signed statements of a catalog, as bytes: what passes from a node through the coordinator to readers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignedPublication:
    """Canonical bytes of a publication, the key that signed them, and the signature."""

    body: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedWithdrawal:
    """Canonical bytes of a withdrawal, the key that signed them, and the signature."""

    body: bytes
    public_key: bytes
    signature: bytes


CatalogStatement = SignedPublication | SignedWithdrawal
