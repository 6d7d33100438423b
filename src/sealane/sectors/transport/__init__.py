"""Transport: journeys of carriers, and how punctual they are."""

from __future__ import annotations

from sealane.sectors.declared import load_pack

PACK = load_pack(__name__)
