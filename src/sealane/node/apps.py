"""The Flower apps that are installed at this node: the operator adds a directory's code, and agreements name its hash.

Nobody ships code: a study names an app by the hash of its files, and a node runs it only if it has that very code.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sealane.computations.flower_app.bundle import bundle_of, hash_of_bundle, read_bundle
from sealane.computations.flower_app.project import Project, project_of, read_project
from sealane.errors import InputError, RefusedError, UnavailableError

FOLDER = "apps"
_SUFFIX = ".app"
Find = Callable[[str, str], bytes]
"""Returns the code of an app by its name and hash, or raises RefusedError."""


@runtime_checkable
class NeedsApp(Protocol):
    """A computation that needs an app's code beside its own."""

    def installed(self, params: Any) -> str:
        """Return the hash of that code."""

    def with_bundle(self, bundle: bytes, params: Any) -> Any:
        """Return the computation with that code."""


@dataclass(frozen=True, slots=True)
class App:
    """An installed app: its name and version, and the hash of its code."""

    name: str
    version: str
    code: str


@dataclass(frozen=True, slots=True)
class Apps:
    """The apps in one node's home.

    Attributes:
        path: of the folder that holds them.
    """

    path: Path

    def add(self, directory: Path) -> App:
        """Keep the code of an app's directory; the same again changes nothing.

        Raises:
            InputError: it holds no Flower app.
            UnavailableError: the disk takes nothing more.
        """
        project, bundle = read_project(directory), bundle_of(directory.resolve())
        app = App(project.name, project.version, hash_of_bundle(bundle))
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=self.path)  # mode 0600
            with os.fdopen(handle, "wb") as file:
                file.write(bundle)
                file.flush()
                os.fsync(file.fileno())
            os.replace(written, self.path / f"{app.code}{_SUFFIX}")
        except OSError as error:
            raise UnavailableError("disk.full", "the disk is full: nothing was written",
                                   got=error.strerror or type(error).__name__, hint="free some space") from error
        return app

    def remove(self, code: str) -> App:
        """Let go of an app by its hash, or the first digits of it. Studies that name it are refused from then on.

        Raises:
            InputError: there is none, or more than one.
        """
        found = [app for app in self.all() if app.code.startswith(code) or app.name == code]
        if len(found) != 1:
            raise InputError("app.unknown", "not exactly one app of that name or hash is installed",
                             got=repr(code[:80]), expected=", ".join(f"{a.name} {a.code[:12]}" for a in self.all())
                             or "none is installed")
        (self.path / f"{found[0].code}{_SUFFIX}").unlink()
        return found[0]

    def all(self) -> list[App]:
        """Return the installed apps by name; one whose file was changed is left out."""
        found = []
        for path in sorted(self.path.glob(f"*{_SUFFIX}")) if self.path.is_dir() else []:
            try:
                project = _project(path.read_bytes(), path.name.removesuffix(_SUFFIX))
            except InputError:
                continue
            found.append(App(project.name, project.version, path.name.removesuffix(_SUFFIX)))
        return sorted(found, key=lambda app: (app.name, app.code))

    def find(self, name: str, code: str) -> bytes:
        """Return the code of an app.

        Raises:
            RefusedError: it is not installed here.
            InputError: its file was changed.
        """
        try:
            bundle = (self.path / f"{code}{_SUFFIX}").read_bytes()
        except OSError:
            raise not_installed(name, code, [app.code for app in self.all() if app.name == name]) from None
        read_bundle(bundle, code)
        return bundle


def equipped(computation: Any, params: Any, find: Find) -> Any:
    """Return a computation with the app that it needs, where it needs one.

    Raises:
        RefusedError: it is not installed here.
        InputError: it is not what the study says, or Flower is missing.
    """
    if not isinstance(computation, NeedsApp):
        return computation
    return computation.with_bundle(find(params.app, computation.installed(params)), params)


def not_installed(name: str, code: str, others: list[str]) -> RefusedError:
    """Return the error for an app that a node does not have."""
    return RefusedError("app.not-installed", "the app is not installed at this node",
                        got=f"{name}: " + (", ".join(one[:16] for one in others) or "not at all"), expected=code[:16],
                        hint="its operator looks at the code, then `sealane flower install PATH`")


def none_installed(name: str, code: str) -> bytes:
    """Stand for a node without apps."""
    raise not_installed(name, code, [])


def _project(bundle: bytes, code: str) -> Project:
    return project_of(read_bundle(bundle, code).get("pyproject.toml", b""))
