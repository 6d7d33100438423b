"""Write the vectors of ``v1/``: ``python tests/vectors/generate.py --write``. Imports no Sealane.

Every vector is a script: parties with fixed seeds, the terms each sums, and a list of operations. The good values come
from the second writings in ``tests/support/reference.py`` and ``rlwe_sum.py``. ``v1/README.md`` says what is in a file.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import masking_scripts  # noqa: E402
import rlwe_lies  # noqa: E402

SCHEMES = {"masking": masking_scripts, "rlwe": rlwe_lies}


def files(scheme: str) -> dict[str, str]:
    """The text of every file of a scheme, by name."""
    scripts = SCHEMES[scheme]
    return {f"{vector['name']}.json": scripts.written(vector) for vector in scripts.vectors()}


if __name__ == "__main__" and "--write" in sys.argv:
    for scheme in SCHEMES:
        folder = HERE / "v1" / scheme
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.json"):
            file.unlink()
        for name, text in files(scheme).items():
            (folder / name).write_text(text, encoding="utf-8")
