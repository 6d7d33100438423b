"""One finding of a doctor, and how a list of examinations becomes a list of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sealane.errors import SealaneError

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: ``fail`` is what keeps something from working.
        message: what was found.
        hint: what to do about it.
    """

    name: str
    status: Status
    message: str
    hint: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON-ready values."""
        return asdict(self)


Examination = tuple[str, Callable[[], Iterable[Check]]]
"""A name, and what looks; an error it raises is a finding too."""


def ok(name: str, message: str) -> Check:
    """Return a finding that all is well."""
    return Check(name, "ok", message)


def warn(name: str, message: str, hint: str | None = None) -> Check:
    """Return a finding that something will need care."""
    return Check(name, "warn", message, hint)


def fail(name: str, message: str, hint: str | None = None) -> Check:
    """Return a finding that something does not work."""
    return Check(name, "fail", message, hint)


def of_error(name: str, error: SealaneError) -> Check:
    """Return an error as a finding."""
    return fail(name, str(error), error.hint)


def examine(examinations: Sequence[Examination]) -> list[Check]:
    """Run examinations one after another; none keeps the next from running."""
    found: list[Check] = []
    for name, look in examinations:
        try:
            found += look()
        except SealaneError as error:
            found.append(of_error(name, error))
        except OSError as error:
            found.append(fail(name, error.strerror or type(error).__name__))
    return found
