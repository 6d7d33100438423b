"""A Flower app as a directory: its pyproject.toml, its two halves, its configuration, and a hash of its code."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.core.canonical import content_hash, sha256
from sealane.errors import InputError

Value = bool | int | float | str
REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
CODE = (".py", ".toml")
MOST_FILES = 2000
MOST_BYTES = 32 << 20
IN_MEMORY = Path()
"""Stands for the directory of an app whose code is in memory."""
SKIPPED = {"__pycache__", "node_modules", "build", "dist"}


@dataclass(frozen=True, slots=True)
class Project:
    """What a Flower app says of itself.

    Attributes:
        root: its directory.
        name: of the project.
        version: of the project.
        server: reference of the ServerApp, ``module:attribute``.
        client: reference of the ClientApp.
        config: its run configuration, nested keys joined with dots.
    """

    root: Path
    name: str
    version: str
    server: str
    client: str
    config: Mapping[str, Value]

    def with_config(self, changes: Mapping[str, Value]) -> dict[str, Value]:
        """Return the run configuration with some values changed.

        Raises:
            InputError: the app has no such key, or its value is of another kind.
        """
        for key, value in changes.items():
            if key not in self.config:
                raise InputError("flower.unknown-key", "the app's configuration has no such key", got=key,
                                 expected=", ".join(sorted(self.config))[:300] or "it has none",
                                 hint="add it to [tool.flwr.app.config] of its pyproject.toml")
            old = self.config[key]
            if type(value) is not type(old) and not (type(old) is float and type(value) is int):
                raise InputError("flower.wrong-kind", f"the app's configuration has another kind of value for {key}",
                                 got=type(value).__name__, expected=type(old).__name__)
        return {**self.config, **changes}

    def code_hash(self) -> str:
        """Return the hash of all Python and TOML files, by their paths, in hex.

        Raises:
            InputError: there are too many, or they are too large, for an app.
        """
        return hash_of(code_files(self.root))

    def load(self, half: str) -> Any:
        """Import the ``server`` or the ``client`` half.

        Raises:
            InputError: it does not import, or is not there.
        """
        reference = self.server if half == "server" else self.client
        module, _, attribute = reference.partition(":")
        if self.root != IN_MEMORY and str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        try:
            found: Any = importlib.import_module(module)
            for name in attribute.split("."):
                found = getattr(found, name)
        except Exception as error:  # an app's own code runs here
            raise InputError("flower.cannot-load", f"the app's {half} half does not load",
                             got=f"{reference}: {type(error).__name__}: {str(error)[:200]}",
                             hint="install what the app imports, beside Sealane") from error
        return found


def code_files(root: Path) -> dict[str, bytes]:
    """Return all Python and TOML files of a directory by their paths in it: what an app's hash covers.

    Raises:
        InputError: there are too many, or they are too large, for an app.
    """
    files = sorted(path for path in root.rglob("*") if path.suffix in CODE and path.is_file()
                   and not any(part.startswith(".") or part in SKIPPED for part in path.relative_to(root).parts))
    if len(files) > MOST_FILES or sum(path.stat().st_size for path in files) > MOST_BYTES:
        raise InputError("flower.app-too-large", "the app holds more code than an app does", got=f"{len(files)} files",
                         expected=f"at most {MOST_FILES} files and {MOST_BYTES >> 20} MiB",
                         hint="keep environments and data outside the app's directory")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def hash_of(files: Mapping[str, bytes]) -> str:
    """Return the hash of an app's files, in hex."""
    return content_hash({path: sha256(data).hex() for path, data in files.items()}).hex()


def read_project(path: Path) -> Project:
    """Read an app's pyproject.toml.

    Raises:
        InputError: there is none, or it describes no Flower app.
    """
    root = path.resolve()
    try:
        data = (root / "pyproject.toml").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("flower.no-app", "there is no Flower app", got=path,
                         expected="a directory with pyproject.toml",
                         hint="name the directory that `flwr run` would take") from None
    return project_of(data, root)


def project_of(data: bytes, root: Path = IN_MEMORY) -> Project:
    """Read the bytes of an app's pyproject.toml.

    Args:
        data: of the file.
        root: the app's directory; without one its modules are imported from where they were offered.

    Raises:
        InputError: it describes no Flower app.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _malformed("pyproject.toml", error) from None
    project, app = _table(document, "project"), _table(document, "tool", "flwr", "app")
    halves = _table(document, "tool", "flwr", "app", "components")
    for half in ("serverapp", "clientapp"):
        if not isinstance(halves.get(half), str) or not REFERENCE.fullmatch(halves[half]):
            raise _malformed(f"tool.flwr.app.components.{half}", repr(halves.get(half))[:80])
    if not isinstance(project.get("name"), str):
        raise _malformed("project.name", project.get("name"))
    return Project(root, project["name"], str(project.get("version", "0")), halves["serverapp"], halves["clientapp"],
                   dict(_flat(app.get("config", {}), "")))


def read_changes(texts: tuple[str, ...]) -> dict[str, Value]:
    """Read changes to a configuration, ``key=value``, values as in TOML.

    Raises:
        InputError: a text is none.
    """
    changes: dict[str, Value] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        try:
            read = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            read = value.strip()
        if not equals or not key.strip() or not isinstance(read, bool | int | float | str):
            raise InputError("flower.bad-config", "a change to the app's configuration is malformed", got=text[:80],
                             expected="KEY=VALUE, such as num-rounds=3")
        changes[key.strip()] = read
    return changes


def _table(document: Any, *path: str) -> dict[str, Any]:
    for place, name in enumerate(path):
        document = document.get(name)
        if not isinstance(document, dict):
            raise _malformed(".".join(path[:place + 1]), "missing")
    table: dict[str, Any] = document
    return table


def _flat(table: Any, before: str) -> list[tuple[str, Value]]:
    if not isinstance(table, dict):
        raise _malformed("tool.flwr.app.config", type(table).__name__)
    found: list[tuple[str, Value]] = []
    for key, value in table.items():
        name = f"{before}.{key}" if before else key
        if isinstance(value, dict):
            found += _flat(value, name)
        elif isinstance(value, bool | int | float | str):
            found.append((name, value))
        else:
            raise _malformed(f"tool.flwr.app.config.{name}", type(value).__name__)
    return found


def _malformed(where: str, what: object) -> InputError:
    return InputError("flower.malformed-app", f"pyproject.toml describes no Flower app: {where}", got=what,
                      expected="[project], and [tool.flwr.app.components] with serverapp and clientapp")
