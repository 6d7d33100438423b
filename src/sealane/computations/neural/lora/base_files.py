"""The frozen model's files: found in an installed package, and read only if they are what the study names.

The hash covers every file of the folder, so that nothing that a loader might look at is unsigned. Of them only JSON and
safetensors are read; code and pickles that lie there are hashed like the rest, and never run.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from sealane.computations.neural.lora.parameters import Base
from sealane.core.canonical import content_hash
from sealane.errors import InputError, RefusedError

NEEDED = ("config.json", "tokenizer.json")
"""Beside the weights."""


def base(package: str, folder: str | None = None) -> dict[str, str]:
    """Return what a study says of a model that is installed here: package, folder and content.

    Raises:
        InputError: the package is not installed, or holds no such model.
    """
    said = {"package": package, "content": content_of(find(package, folder))}
    return said if folder is None else said | {"folder": folder}


def checked(asked: Base) -> Path:
    """Return the folder of the model that a study names.

    Raises:
        InputError: the package is not installed here, or holds no such model.
        RefusedError: its files are not what the study names.
    """
    place = find(asked.package, asked.folder)
    found = content_of(place)
    if found != asked.content:
        raise RefusedError("lora.other-base", "the installed model's files are not what the study names",
                           got=found[:16], expected=asked.content[:16],
                           hint="every institution installs the same version of the package")
    return place


def find(package: str, folder: str | None = None) -> Path:
    """Return the folder of a package that holds a model.

    Raises:
        InputError: the package is not installed, or holds no such model, or several.
    """
    try:
        installed = distribution(package)
    except PackageNotFoundError:
        raise InputError("lora.no-base", "the package of the frozen model is not installed here", got=package[:80],
                         hint=f"pip install '{package[:80]}'") from None
    listed = {file.parent.as_posix() for file in installed.files or () if file.suffix == ".safetensors"}
    places = {name: Path(str(installed.locate_file(name))) for name in sorted(listed)
              if ".." not in name.split("/") and folder in (None, name)}
    models = [place for place in places.values() if all((place / name).is_file() for name in NEEDED)]
    if len(models) != 1:
        raise InputError("lora.no-base", "the package holds no such model, or several", got=f"{len(models)} folders",
                         expected="one with config.json, tokenizer.json and weights as safetensors",
                         hint="name the folder" if len(models) > 1 else None)
    return models[0]


def content_of(folder: Path) -> str:
    """Return the hash over all files of a folder and their names, hex."""
    files = (one for one in sorted(folder.rglob("*")) if one.is_file() and "__pycache__" not in one.parts)
    return content_hash({one.relative_to(folder).as_posix(): _digest(one) for one in files}).hex()


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model's configuration.

    Raises:
        InputError: it is no JSON object, or names no token for padding.
    """
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except ValueError:
        config = None
    if not isinstance(config, dict) or not isinstance(config.get("pad_token_id"), int):
        raise InputError("lora.base-config", "config.json of the frozen model names no token for padding",
                         expected="a JSON object with pad_token_id")
    return config


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
