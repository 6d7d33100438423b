"""The hash of a computation's code: what changes it and what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealane.computations import installed
from sealane.computations.installed import code_hash, output_kinds, read_sources
from sealane.computations.registry import get, names
from sealane.errors import UnavailableError

SOURCES = {
    "__init__.py": "", "fit.py": "from quux.inner import depth\nfrom .near import x\nclass Fit: pass\n",
    "near.py": "import quux.far\nx = 1\n", "far.py": "y = 2\n", "inner/__init__.py": "", "inner/depth.py": "z = 3\n",
    "other.py": "unused = 4\n",
}


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Write the package anew, with changes, and return the hash of its one computation."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**changes: str) -> str:
        for name, text in SOURCES.items():
            path = tmp_path / "quux" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(changes.get(path.stem, text))
        for module in [name for name in sys.modules if name.split(".")[0] == "quux"]:
            del sys.modules[module]
        importlib.invalidate_caches()
        for kept in (installed.module_hash, installed._read, installed._data, installed._found):
            kept.cache_clear()
        computation = importlib.import_module("quux.fit").Fit()
        if changes.get("later"):
            read_sources([computation])
            (tmp_path / "quux" / "far.py").write_text(changes["later"])
        return code_hash(computation)

    yield write
    for module in [name for name in sys.modules if name.split(".")[0] == "quux"]:
        del sys.modules[module]


def test_it_covers_what_the_computation_imports_in_its_package_and_nothing_else(hashed: Callable[..., str]) -> None:
    plain = hashed()
    assert hashed() == plain
    for reached in ("fit", "near", "far", "depth"):
        assert hashed(**{reached: SOURCES["inner/depth.py" if reached == "depth" else f"{reached}.py"] + "# more\n"}) \
            != plain, reached
    assert hashed(other="unused = 5\n") == plain


def test_built_in_computations_have_hashes_of_their_own() -> None:
    found = {name: code_hash(get(name)) for name in names()}
    assert len(set(found.values())) == len(found)
    assert all(len(value) == 64 for value in found.values())


def test_the_process_keeps_what_it_first_saw(hashed: Callable[..., str], tmp_path: Path) -> None:
    """What runs is what was loaded, not what lies on disk since."""
    before = hashed()
    (tmp_path / "quux" / "far.py").write_text("y = 9\n")
    assert code_hash(sys.modules["quux.fit"].Fit()) == before


def test_what_was_read_as_a_process_started_counts(hashed: Callable[..., str]) -> None:
    assert hashed(later="from quux import other\n") == hashed()


def test_without_source_there_is_no_hash() -> None:
    ghost = type("Ghost", (), {"__module__": "quux_that_is_nowhere"})
    with pytest.raises(UnavailableError) as caught:
        code_hash(ghost())
    assert caught.value.code == "computation.no-source"


def test_kinds_of_result() -> None:
    assert output_kinds(get("glm.fit")) == ("model",)
    assert output_kinds(get("statistics.describe")) == ("statistics",)
    assert output_kinds(type("Plain", (), {})()) == ("result",)  # type: ignore[arg-type]
