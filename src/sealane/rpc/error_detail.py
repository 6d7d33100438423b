"""Our errors and their description on the wire.

What a peer says about an error is text from another party: cut to a length and stripped of control characters before
anyone prints it, on both sides.
"""

from __future__ import annotations

from sealane.api.errors.v1.error_detail_pb2 import ErrorDetail
from sealane.errors import SealaneError, from_dict

MAX_FIELD_CHARACTERS = 1000
_ALWAYS = ("branch", "code", "message")
_OPTIONAL = ("got", "expected", "hint")


def describe_error(error: SealaneError) -> ErrorDetail:
    """Write an error's fields."""
    return ErrorDetail(**{name: clean(text) for name, text in error.to_dict().items() if text is not None})


def described_error(detail: ErrorDetail) -> SealaneError:
    """Rebuild the error that a peer described."""
    fields: dict[str, str | None] = {name: clean(getattr(detail, name)) for name in _ALWAYS}
    fields |= {name: clean(getattr(detail, name)) if detail.HasField(name) else None for name in _OPTIONAL}
    return from_dict(fields)


def clean(text: str) -> str:
    """Return printable text of bounded length: another party's words end on a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in text[:MAX_FIELD_CHARACTERS])
    return shown.encode("utf-8", "replace").decode("utf-8")
