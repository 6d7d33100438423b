"""What is wrong with a document that pydantic refused: the first fault, without repeating what was written."""

from __future__ import annotations

from pydantic import ValidationError


def first_fault(error: ValidationError, whole: str) -> tuple[str, str]:
    """Return where the first fault is and what it is, both bounded; ``whole`` names the document itself."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ".".join(map(str, first["loc"]))[:120] or whole, first["msg"].removeprefix("Value error, ")[:200]
