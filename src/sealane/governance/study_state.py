"""Where a study stands by what was signed about it, and what is said where a name does not tell which is meant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sealane.core.clock import from_text
from sealane.errors import InputError
from sealane.governance.negotiation import NegotiationState, standing_of
from sealane.governance.signed_statement import Statement
from sealane.governance.study import Study

LISTED = 10
"""Most studies that an error names."""


class StudyState(StrEnum):
    """Where a study stands, whenever it ends."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


def study_state(study: Study, statements: Sequence[Statement]) -> StudyState:
    """Return where a study stands: one refusal is final, and only all approvals together let it run."""
    states = set(standing_of(study, statements).values())
    if NegotiationState.TERMINATED in states:
        return StudyState.REFUSED
    return StudyState.APPROVED if states == {NegotiationState.FINALIZED} else StudyState.WAITING


def is_live(study: Study, statements: Sequence[Statement], now: datetime) -> bool:
    """Tell whether a study runs, or may still come to."""
    return from_text(study.expires) > now and study_state(study, statements) is not StudyState.REFUSED


def ambiguous(wanted: str, found: Sequence[tuple[Study, Sequence[Statement]]], count: int) -> InputError:
    """Return the error for what names several studies, or begins their hashes.

    Args:
        wanted: what was given.
        found: the newest of them, first, with what was signed about each.
        count: how many there are.
    """
    listed = [f"{study.hash[:16]} ({study_state(study, said).lower()}, to {study.expires})"
              for study, said in found[:LISTED]]
    more = [f"{count - len(listed)} more"] if count > len(listed) else []
    return InputError("study.ambiguous", "several studies have this name or begin like this", got=wanted,
                      expected=f"one of {', '.join(listed + more)}", hint="name one by its hash")
