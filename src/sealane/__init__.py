"""Institutions compute together; their data stays home."""

from __future__ import annotations

from sealane._version import __version__

__all__ = ["__version__"]
