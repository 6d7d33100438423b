"""Importing an app's modules from its code in memory: what runs is what was hashed, whatever lies on the disk."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import PurePosixPath
from types import ModuleType

_PLACE = "app:/"


class AppFinder(MetaPathFinder, SourceLoader):  # type: ignore[misc]  # of the library's own stubs
    """Finds and loads the modules of one app. Its own come before installed ones of the same name, as in Flower.

    Args:
        code: hash of the app.
        files: its files by path.
    """

    def __init__(self, code: str, files: Mapping[str, bytes]) -> None:
        self.code = code
        self._files = dict(files)
        self._folders = {str(parent) for path in files if path.endswith(".py")
                         for parent in PurePosixPath(path).parents}
        self.top = {PurePosixPath(path).parts[0].removesuffix(".py") for path in files if path.endswith(".py")}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See :class:`importlib.abc.MetaPathFinder`."""
        at = fullname.replace(".", "/")
        if f"{at}.py" not in self._files and at not in self._folders:
            return None
        spec = spec_from_loader(fullname, self, origin=self.get_filename(fullname),
                                is_package=self.is_package(fullname))
        if spec is not None:
            spec.has_location = True  # so that a module has a __file__
        return spec

    def get_filename(self, fullname: str) -> str:
        """Return a name for a module's file, for tracebacks and for ``__file__``."""
        at = fullname.replace(".", "/")
        return _PLACE + (f"{at}.py" if f"{at}.py" in self._files else f"{at}/__init__.py")

    def get_data(self, path: str | bytes) -> bytes:
        """Return a file of the app; a folder without an ``__init__.py`` is an empty package."""
        at = str(path).removeprefix(_PLACE)
        if at in self._files:
            return self._files[at]
        if str(PurePosixPath(at).parent) in self._folders and at.endswith("/__init__.py"):
            return b""
        raise OSError(f"the app holds no {at}")

    def is_package(self, fullname: str) -> bool:
        """Tell packages from modules."""
        return self.get_filename(fullname).endswith("/__init__.py")


def offer_for_import(code: str, files: Mapping[str, bytes]) -> None:
    """Let an app's modules be imported in this process, in the place of those of another app."""
    if any(isinstance(finder, AppFinder) and finder.code == code for finder in sys.meta_path):
        return
    finder = AppFinder(code, files)
    before = {name for other in sys.meta_path if isinstance(other, AppFinder) for name in other.top}
    sys.meta_path[:] = [other for other in sys.meta_path if not isinstance(other, AppFinder)]
    for name in list(sys.modules):
        if name.partition(".")[0] in before | finder.top:
            del sys.modules[name]
    sys.meta_path.insert(0, finder)
