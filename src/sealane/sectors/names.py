"""What a sector may be called, and what its package is called after it."""

from __future__ import annotations

import re

from sealane.errors import InputError

SECTOR = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LONGEST = 32


def check_sector(name: str) -> str:
    """Return ``name`` if a sector may be called so: contracts and a distribution are named after it.

    Raises:
        InputError: it may not.
    """
    if len(name) > LONGEST or not SECTOR.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST].strip("-")
        raise InputError("sector.malformed-name", "a sector cannot be called that", got=repr(name[:80]),
                         expected=f"small letters, digits and single hyphens, at most {LONGEST}, a letter first",
                         hint=f"such as {near}" if SECTOR.fullmatch(near) else "such as low-carbon")
    return name


def distribution(sector: str) -> str:
    """Return the name under which a sector's package is installed."""
    return f"sealane-sector-{sector}"


def module(sector: str) -> str:
    """Return the name under which a sector's package is imported."""
    return f"sealane_sector_{sector.replace('-', '_')}"
