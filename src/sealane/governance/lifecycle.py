"""An agreement after its negotiation, as a pure state machine; an illegal step changes nothing.

    ACTIVE <-> SUSPENDED
    both -> EXPIRED, REVOKED, EXHAUSTED
    EXHAUSTED -> REVOKED                    its last run may be under way
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sealane.core.clock import from_text
from sealane.errors import RefusedError
from sealane.governance.limits import Limits


class AgreementState(StrEnum):
    """Where an agreement stands at its node."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    EXHAUSTED = "EXHAUSTED"

    @property
    def over(self) -> bool:
        """True where nothing runs any more."""
        return self not in (AgreementState.ACTIVE, AgreementState.SUSPENDED)


_S = AgreementState
_ENDS = frozenset({_S.EXPIRED, _S.REVOKED, _S.EXHAUSTED})
_STEPS = {_S.ACTIVE: _ENDS | {_S.SUSPENDED}, _S.SUSPENDED: _ENDS | {_S.ACTIVE}, _S.EXHAUSTED: {_S.REVOKED}}


def step(old: AgreementState, new: AgreementState) -> AgreementState:
    """Return ``new`` if it may follow ``old``.

    Raises:
        RefusedError: it may not.
    """
    legal = _STEPS.get(old, frozenset())
    if new not in legal:
        raise RefusedError("agreement.illegal-transition", "an agreement cannot take this step", got=f"{old} to {new}",
                           expected=", ".join(sorted(legal)) or "nothing: it is over",
                           hint="`sealane agreement list` says where each agreement stands")
    return new


def state_of(limits: Limits, *, revoked: bool, suspended: bool, runs: int, spent: bool,
             now: datetime) -> AgreementState:
    """Return where an agreement stands, from what was signed and what happened.

    Args:
        limits: the tightest of the study and all agreements known.
        revoked: whether the institution signed a refusal.
        suspended: whether its steward put it on hold.
        runs: how many runs of the study were answered here.
        spent: whether what is left of the epsilon that the agreement caps is not enough for another run.
        now: the present moment.
    """
    if revoked:
        return AgreementState.REVOKED
    if now >= from_text(limits.expires.value):
        return AgreementState.EXPIRED
    if spent or runs >= limits.runs.value:
        return AgreementState.EXHAUSTED
    return AgreementState.SUSPENDED if suspended else AgreementState.ACTIVE
