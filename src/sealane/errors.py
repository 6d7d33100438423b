"""The one exception tree: four branches, each with an exit code and a gRPC status.

A refusal is a value: a stable dotted ``code``, what was got, what was expected, and a hint that says what to do
next. None of the fields may carry a secret or a value from a row.
"""

from __future__ import annotations

from typing import ClassVar


class SealaneError(Exception):
    """Base of everything Sealane raises on purpose.

    Args:
        code: stable dotted identifier, such as ``run.cohort-too-small``.
        message: one sentence without a full stop that says what happened.
        got: what was seen, in words or numbers.
        expected: what would have been right.
        hint: what the reader can do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        got: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.got = None if got is None else str(got)
        self.expected = None if expected is None else str(expected)
        self.hint = hint
        super().__init__(str(self))
        if hint is not None:
            self.add_note(f"hint: {hint}")  # what a traceback shows below the message

    def __str__(self) -> str:
        parts = [f"{self.message} [{self.code}]"]
        if self.got is not None:
            parts.append(f"got: {self.got}")
        if self.expected is not None:
            parts.append(f"expected: {self.expected}")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, str | None]:
        """Return the fields as JSON-ready strings, the branch included."""
        return {
            "branch": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "got": self.got,
            "expected": self.expected,
            "hint": self.hint,
        }


class InputError(SealaneError):
    """The caller's input is wrong: a file, an option, a value. INVALID_ARGUMENT."""

    exit_code = 2


class RefusedError(SealaneError):
    """A policy, an agreement or an identity check says no. FAILED_PRECONDITION or PERMISSION_DENIED."""

    exit_code = 3


class ProtocolError(SealaneError):
    """Another party broke the protocol: bytes that do not verify, an illegal transition. ABORTED."""

    exit_code = 4


class UnavailableError(SealaneError):
    """Something needed is not there now; trying later may help. UNAVAILABLE."""

    exit_code = 75


BRANCHES: dict[str, type[SealaneError]] = {
    branch.__name__: branch for branch in (InputError, RefusedError, ProtocolError, UnavailableError)
}


def from_dict(fields: dict[str, str | None]) -> SealaneError:
    """Rebuild an error that another process described with :meth:`SealaneError.to_dict`."""
    branch = BRANCHES.get(fields.get("branch") or "", ProtocolError)
    return branch(
        fields.get("code") or "unknown",
        fields.get("message") or "the peer gave no message",
        got=fields.get("got"),
        expected=fields.get("expected"),
        hint=fields.get("hint"),
    )
