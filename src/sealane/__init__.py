"""Sealane: institutions compute together; their data stays home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealane._tls_floor import prepare_grpc
from sealane._version import __version__

if TYPE_CHECKING:
    from sealane.client.connection import connect
    from sealane.simulation import simulate

__all__ = ["__version__", "connect", "simulate"]

prepare_grpc()  # grpc reads its settings when it is imported, which is after this


def __getattr__(name: str) -> Any:
    """Load what a caller asks for, and not before: ``import sealane`` stays quick."""
    if name == "simulate":
        from sealane.simulation import simulate

        return simulate
    if name == "connect":
        from sealane.client.connection import connect

        return connect
    raise AttributeError(f"module 'sealane' has no attribute {name!r}")
