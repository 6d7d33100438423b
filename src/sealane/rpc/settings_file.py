"""``settings.toml`` of a role's home, read strictly: what is wrong in it is named."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from sealane.errors import InputError

MAX_BYTES = 64 << 10

Model = TypeVar("Model", bound=BaseModel)


def parse_settings(path: Path, file: BinaryIO, model: type[Model]) -> Model:
    """Read settings from an open file; ``path`` is what an error names.

    Raises:
        InputError: too large, not TOML, an unknown field, or a value out of range.
    """
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError("settings.too-large", f"{path} is too large", expected=f"at most {MAX_BYTES} bytes")
    try:
        return model.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("settings.not-toml", f"{path} is not TOML", got=error) from None
    except ValidationError as error:
        raise _explain(path, error, model) from None


def _explain(path: Path, error: ValidationError, settings: type[BaseModel]) -> InputError:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        section = settings.model_fields.get(str(first["loc"][0])) if len(first["loc"]) > 1 else None
        model = section.annotation if section is not None else settings
        known = list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
        near = difflib.get_close_matches(str(first["loc"][-1]), known, 3, 0.5)
        return InputError("settings.unknown-field", f"{path} has an unknown field", got=field,
                          expected=", ".join(known), hint=f"did you mean {' or '.join(near)}?" if near else "remove it")
    return InputError("settings.malformed", f"{path}: {field} is wrong", got=repr(first["input"])[:80],
                      expected=first["msg"])
