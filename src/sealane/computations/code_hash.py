"""What code a computation is: one hash over source files, which a study can name and a node compares before it runs."""

from __future__ import annotations

import sys
from pathlib import Path

from sealane.computations.registry import get
from sealane.core.canonical import sha256

_OWN = Path(__file__).resolve().parent


def code_hash(name: str) -> str:
    """Return SHA-256, hex, over the source files that a computation consists of.

    These are all of ``sealane.computations`` and, where the computation is defined elsewhere, its package there (or its
    one file, where it is in no package): sorted pairs of relative path and content, each preceded by its length.

    Raises:
        InputError: no such computation is installed.
    """
    files = _sources(_OWN, "sealane/computations")
    module = sys.modules[type(get(name)).__module__]
    source = None if module.__file__ is None else Path(module.__file__).resolve()
    if source is not None and not source.is_relative_to(_OWN):
        if module.__package__:
            files |= _sources(source.parent, module.__package__.replace(".", "/"))
        else:
            files[source.name] = source
    parts = [part for path in sorted(files) for part in (path.encode(), files[path].read_bytes())]
    return sha256(*parts).hex()


def _sources(folder: Path, prefix: str) -> dict[str, Path]:
    return {f"{prefix}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*.py")}
