"""Energy and low carbon: what goods and buildings consume, and what bears on it."""

from __future__ import annotations

from sealane.sectors.declared import load_pack

PACK = load_pack(__name__)
