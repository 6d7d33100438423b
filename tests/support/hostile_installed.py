"""Imported by a fork server only: from here on it knows the hostile computation."""

from __future__ import annotations

from hostile import Hostile

from sealane.computations import registry

registry._BUILT_IN[Hostile.name] = Hostile()  # type: ignore[assignment]
