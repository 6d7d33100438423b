"""The source tree as syntax trees, read once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def modules() -> dict[str, ast.Module]:
    """Every module written by hand, by its path under src with forward slashes."""
    paths = (path for path in sorted(SRC.rglob("*.py")) if not path.stem.endswith(("_pb2", "_pb2_grpc")))
    found = {path.relative_to(SRC).as_posix(): ast.parse(path.read_bytes(), str(path)) for path in paths}
    assert "sealane/errors.py" in found
    return found
