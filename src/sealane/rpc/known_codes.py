"""The codes of errors that this version raises itself: what another party names is taken over only if it is one.

A code from a stranger is text like any other, and codes go where texts do not: into leaves of the audit log and into
statements of settlement.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

OTHER = "error.of-another"
"""Stands for a code that this version does not know."""
_LITERAL = re.compile(r'"([a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:[.-][a-z0-9]+)*)"')


@lru_cache(maxsize=1)
def known_codes() -> frozenset[str]:
    """Return every code that is written out in Sealane's own source (codes are literals: a test holds that)."""
    return frozenset(code for file in _sources(resources.files("sealane"))
                     for code in _LITERAL.findall(file.read_text(encoding="utf-8")))


def known(code: str) -> str:
    """Return the code if it is known, else :data:`OTHER`."""
    return code if code in known_codes() else OTHER


def _sources(folder: Traversable) -> list[Traversable]:
    found = [one for one in folder.iterdir() if one.is_file() and one.name.endswith(".py")]
    return found + [file for one in folder.iterdir() if one.is_dir() for file in _sources(one)]
