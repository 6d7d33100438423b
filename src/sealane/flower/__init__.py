"""Flower apps over Sealane, and Sealane's encryption in Flower apps: ``secure_sum_mod`` and ``SecureSum``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealane.flower.secure.grid import SecureSum
    from sealane.flower.secure.mod import SecureSumMod, secure_sum_mod

__all__ = ["SecureSum", "SecureSumMod", "secure_sum_mod"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: a ClientApp needs no server half."""
    from importlib import import_module

    if name in __all__:
        return getattr(import_module(f"sealane.flower.secure.{'grid' if name == 'SecureSum' else 'mod'}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
