"""Which versions of Flower Sealane was tested with: one list, for its strategies here and for running Flower's apps."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from sealane.errors import InputError

TESTED: Final = ("1.41", "1.42")


def no_flower() -> InputError:
    """Return what is said where Flower cannot be imported."""
    return InputError("flower.not-installed", "Flower is not installed", expected="the extra flower",
                      hint="pip install 'sealane[flower]'")


def check_flower() -> str:
    """Return the version of Flower that is installed.

    Raises:
        InputError: there is none, or Sealane was not tested with it.
    """
    try:
        found = metadata.version("flwr")
    except metadata.PackageNotFoundError:
        raise no_flower() from None
    if ".".join(found.split(".")[:2]) not in TESTED:
        raise InputError("flower.version", "Sealane was not tested with this version of Flower", got=found,
                         expected=" or ".join(TESTED), hint="pip install 'sealane[flower]' installs one that was")
    return found
