"""What is installed under a computation's name: the hash of its source, and the kinds of result it gives.

The hash covers every source file that the computation's module reaches by imports inside its own package
(``sealane.computations``, or the top-level package of one from elsewhere). It is what an agreement names as its code.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sealane.computations.base import Computation
from sealane.core.canonical import content_hash
from sealane.errors import UnavailableError

DEFAULT_OUTPUTS = ("result",)


def output_kinds(computation: Computation[Any]) -> tuple[str, ...]:
    """Return the kinds of result that a computation gives, sorted: its ``outputs``, or the one kind ``result``."""
    return tuple(sorted(getattr(computation, "outputs", DEFAULT_OUTPUTS)))


def code_hash(computation: Computation[Any]) -> str:
    """Return the hash of a computation's source, hex, read once in a process: here or by :func:`read_sources`.

    Raises:
        UnavailableError: its source cannot be read.
    """
    return module_hash(type(computation).__module__)


def read_sources(computations: Iterable[Computation[Any]]) -> None:
    """Read all that hashes of these computations may be of: they are of what a process imports now, though asked later.

    To read is quick; which files a computation reaches takes a while to find out, and of many nobody asks.
    """
    for package in {_package(type(computation).__module__) for computation in computations}:
        path = _found(package)
        for file in () if path is None else path.parent.rglob("*.py") if path.name == "__init__.py" else (path,):
            _data(file)


@lru_cache(maxsize=256)
def module_hash(module: str) -> str:
    """Return the hash of a module's source and of what it imports inside its own package, hex.

    Raises:
        UnavailableError: its source cannot be read.
    """
    package = _package(module)
    files: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = None if name in files else _source(name, required=name == module)
        if path is not None:
            files[name], imported = _read(path, name)
            pending.extend(one for one in imported if one == package or one.startswith(f"{package}."))
    return content_hash(files).hex()


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "sealane" else parts[0]


@cache
def _data(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _read(path: Path, module: str) -> tuple[str, tuple[str, ...]]:
    """Return the hash of a source file, and what it imports."""
    data = _data(path)
    return (hashlib.sha256(data).hexdigest(),
            tuple(dict.fromkeys(_imported(data, module, is_package=path.name == "__init__.py"))))


@cache
def _found(module: str) -> Path | None:
    """Return a module's source file, without importing anything; a name that an import takes out of one has none."""
    first, *inner = module.split(".")
    try:
        spec = find_spec(module if module in sys.modules else first)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if inner and spec.name == first:
        stems = [Path(place).joinpath(*inner) for place in spec.submodule_search_locations or ()]
        paths = [path for stem in stems for path in (stem / "__init__.py", stem.with_suffix(".py"))]
    else:
        paths = [Path(spec.origin or "")]
    return next((path for path in paths if path.suffix == ".py" and path.is_file()), None)


def _source(module: str, *, required: bool) -> Path | None:
    path = _found(module)
    if path is None and required:
        raise UnavailableError("computation.no-source", "the source of a computation cannot be read, so not hashed",
                               got=module[:80], hint="install Sealane and its packages as files, not as an archive")
    return path


def _imported(data: bytes, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield the absolute names that a module imports, anywhere in it, packages on the way included."""
    base = module.split(".") if is_package else module.split(".")[:-1]
    for node in _statements(ast.parse(data)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = base[:len(base) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            steps = name.split(".")
            yield from (".".join(steps[:count]) for count in range(1, len(steps) + 1))


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every statement, however deep; expressions, which are most of a tree and import nothing, are passed by."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            pending.extend(getattr(node, block, ()))
