"""The part of a released result that a section shows, checked: a result is bytes of another party's making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sealane.errors import InputError


class Held(BaseModel):
    """Base of what is read of a result: fields that no section shows are let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Found = TypeVar("Found", bound=Held)


def find(result: Mapping[str, Any], model: type[Found], *keys: str) -> Found | None:
    """Return what the result holds of a model, or None where one of the keys that tell it is absent or empty.

    Raises:
        InputError: the keys are there, and what is under them is something else.
    """
    if not all(result.get(key) for key in keys):
        return None
    try:
        return model.model_validate(dict(result))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "report.malformed",
            f"the result's {'.'.join(map(str, first['loc']))} is malformed",
            got=first["type"],
            expected=first["msg"],
            hint="write the file anew: sealane run report RUN",
        ) from error
