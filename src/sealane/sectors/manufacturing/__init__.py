"""Manufacturing: how long products last in use, and what bears on their failure."""

from __future__ import annotations

from sealane.sectors.declared import load_pack

PACK = load_pack(__name__)
