"""Importing an app's modules from its code in memory: what runs is what was hashed, whatever lies on the disk."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from pathlib import PurePosixPath
from types import ModuleType

from sealane.errors import InputError

PACKAGES = ("site-packages", "dist-packages")
_PLACE = "app:/"


class AppFinder(MetaPathFinder, SourceLoader):  # type: ignore[misc]  # of the library's own stubs
    """Finds and loads the modules of one app, by the names in ``top``: none of them is an installed package's.

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
        if fullname.partition(".")[0] not in self.top or (f"{at}.py" not in self._files and at not in self._folders):
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


def offer_for_import(code: str, files: Mapping[str, bytes], needed: AbstractSet[str]) -> None:
    """Let an app's modules be imported in this process, in the place of those of another app.

    Args:
        code: hash of the app.
        files: its files by path.
        needed: top-level packages of its two halves.

    Raises:
        InputError: one of these has the name of an installed package, which would be imported in its place.
    """
    if any(isinstance(finder, AppFinder) and finder.code == code for finder in sys.meta_path):
        return
    sys.meta_path[:] = [other for other in sys.meta_path if not isinstance(other, AppFinder)]
    for name, module in list(sys.modules.items()):
        if isinstance(getattr(module, "__loader__", None), AppFinder):
            del sys.modules[name]
    taken = {name for name in needed if _is_installed(name)}
    if taken:
        raise InputError("flower.name-taken", "the app's package has the name of an installed one",
                         got=", ".join(sorted(taken))[:100], hint="the app's author gives it another")
    for name in list(sys.modules):
        if name.partition(".")[0] in needed:
            del sys.modules[name]
    finder = AppFinder(code, files)
    # What else lies beside the halves, such as tests, takes the place of nothing.
    finder.top -= {name for name in finder.top - needed if name in sys.modules or _is_installed(name)}
    sys.meta_path.insert(0, finder)


def _is_installed(name: str) -> bool:
    """Tell whether a name belongs to the interpreter, to Sealane, or to an installed package."""
    if name in sys.stdlib_module_names or name == __name__.partition(".")[0]:
        return True
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return True
    places = [] if spec is None else [spec.origin, *(spec.submodule_search_locations or ())]
    return any(part in PACKAGES for place in places if place for part in PurePosixPath(place).parts)
