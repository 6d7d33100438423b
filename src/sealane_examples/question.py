"""The question that ``evaluate`` reads on standard input, checked."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sealane.errors import InputError

Asked = TypeVar("Asked", bound=BaseModel)


def parse(model: type[Asked], text: str, shape: str) -> Asked:
    """Return the JSON text as what it should be; ``shape`` says that to whoever wrote it otherwise.

    Raises:
        InputError: it is not that.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "example.question-malformed",
            "the question on standard input is malformed",
            got=first["msg"],
            expected=shape,
            hint=f"look at {'.'.join(map(str, first['loc'])) or 'the whole text'}",
        ) from error
