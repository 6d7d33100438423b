"""The short examples: one study each, prepared and judged in one way.

Each module has an ``EXAMPLE`` and ``parts()``; here is what its rows must be, and which model it is about.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

from sealane_examples.example import Example
from sealane_examples.fold import HELD_OUT
from sealane_examples.written import check_digest, write_parquet

MODULES = {name: f"sealane_examples.{name.replace('-', '_')}" for name in (
    "disk-failure", "flight-delay", "fuel-economy")}
ROWS_SHA256 = {
    "disk-failure": "522d602586da86e5249d536e9cb3713d72bb13e8f71bee86d796f0e74dd88ffa",
    "flight-delay": "03e2efb27459ab5d2e72c16caaf07caf587830d3f656f2904aad4e61f00cf8d2",
    "fuel-economy": "8b8c167307c8450970e1a14779629034bb34547c5535d7c14f3afd537ce56e72",
}
"""SHA-256 over one line ``NAME DIGEST`` for each table, in the order in which they are written."""


def find(name: str) -> Example:
    """Return the description of a short example."""
    example = import_module(MODULES[name]).EXAMPLE
    assert isinstance(example, Example)
    return example


def prepare(name: str, directory: Path) -> dict[str, Any]:
    """Write each institution's training rows, and the held-out ones apart, as Parquet, and describe the files.

    Raises:
        UnavailableError: the data package is not installed.
        InputError: the source or the output is not what was reviewed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = {part: write_parquet(table, directory / f"{part}.parquet")
               for part, table in import_module(MODULES[name]).parts().items()}
    lines = "".join(f"{part} {one.sha256}\n" for part, one in written.items())
    check_digest("rows", name, hashlib.sha256(lines.encode()).hexdigest(), ROWS_SHA256[name])
    described = {part: one.to_dict() for part, one in written.items()}
    fold = described.pop(HELD_OUT)
    return {"institutions": described, "heldout": fold}


def evaluate(name: str, directory: Path, text: str) -> dict[str, Any]:
    """Answer the question about the joint model: see ``healthcare.evaluate_survival`` and ``alone_joint_pooled``."""
    example = find(name)
    if example.duration is not None:
        from sealane_examples.healthcare import evaluate_survival

        return evaluate_survival.evaluate(directory, example, evaluate_survival.parse_question(text))
    from sealane_examples import alone_joint_pooled

    return alone_joint_pooled.evaluate(directory, example, alone_joint_pooled.parse_question(text))
