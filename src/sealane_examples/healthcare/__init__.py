"""Healthcare: heart disease at four hospitals, dialysis in five networks, breast cancer in four cohorts."""

from __future__ import annotations
