"""Finance: credit, cards, accounts and transfers, and what their data may be used for."""

from __future__ import annotations

from sealane.sectors.declared import load_pack

PACK = load_pack(__name__)
