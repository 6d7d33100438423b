"""An app's code as one file: what a node keeps of an app that was installed there, and hands to its sandbox.

It holds the Python and TOML files of the app's directory, the very ones that its hash covers, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from sealane.computations.flower_app.project import MOST_BYTES, MOST_FILES, code_files, hash_of
from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError

MOST_BUNDLE = 2 * MOST_BYTES


def bundle_of(root: Path) -> bytes:
    """Return the code of an app's directory.

    Raises:
        InputError: it is too large for an app.
    """
    return canonical_bytes({path: base64.b64encode(data).decode("ascii") for path, data in code_files(root).items()})


def read_bundle(data: bytes, code: str) -> dict[str, bytes]:
    """Return the files of an app by their paths.

    Args:
        data: as :func:`bundle_of` made it.
        code: hash that the app must have.

    Raises:
        InputError: it is malformed, or the code is not the one that is asked for.
    """
    try:
        fields = json.loads(data) if len(data) <= MOST_BUNDLE else None
        files = {_path(path): base64.b64decode(text, validate=True) for path, text in dict(fields or {}).items()}
    except (ValueError, TypeError, RecursionError, binascii.Error):
        files = {}
    if not files or len(files) > MOST_FILES:
        raise InputError("flower.bundle-malformed", "the kept code of an app is malformed", got=f"{len(data)} bytes",
                         hint="`sealane flower install PATH` keeps it anew")
    found = hash_of(files)
    if found != code:
        raise InputError("flower.other-code", "the app's code is not the one that was agreed", got=found[:16],
                         expected=code[:16], hint="`sealane flower check PATH` prints the hash of a directory")
    return files


def hash_of_bundle(data: bytes) -> str:
    """Return the hash of the code in a bundle."""
    fields: Mapping[str, str] = json.loads(data)
    return hash_of({path: base64.b64decode(text) for path, text in fields.items()})


def _path(text: object) -> str:
    path = PurePosixPath(str(text))
    if path.is_absolute() or ".." in path.parts or str(path) != text:
        raise ValueError("no path inside an app")
    return str(path)
