"""Who may ask a node for what: its operator runs it, its data stewards decide over data and studies.

Before anybody is appointed steward, the operator is both: a small institution has one person for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sealane.errors import RefusedError

Role = Literal["anybody", "operator", "steward"]

VERBS: dict[str, Role] = {
    "status": "anybody", "dataset.list": "anybody", "peers": "anybody", "study.list": "anybody",
    "study.show": "anybody", "steward.list": "anybody", "dataset.published": "anybody", "metering.show": "anybody",
    "study.review": "anybody", "agreement.list": "anybody",
    "agreement.show": "anybody", "why": "anybody",
    "quarantine": "anybody",  # whoever sees the fire may ring the bell; only a steward says that it is over
    "quarantine.lift": "steward", "study.counter": "steward", "agreement.suspend": "steward",
    "agreement.resume": "steward", "agreement.revoke": "steward",
    "dataset.add": "steward", "dataset.withdraw": "steward", "trust": "steward", "distrust": "steward",
    "study.approve": "steward", "study.refuse": "steward",
    "dataset.profile": "steward", "dataset.grade": "steward", "dataset.filing": "steward",
    "dataset.desensitise": "steward", "dataset.mock": "steward", "jurisdiction": "steward",
    "dataset.publish": "steward", "dataset.unpublish": "steward", "metering.statement": "steward",
    "ledger.show": "anybody", "ledger.explain": "anybody", "ledger.forecast": "anybody", "ledger.cap": "steward",
    "score.model.list": "anybody", "score.list": "anybody", "score.model.add": "steward",
    "score.model.remove": "steward", "score.grant": "steward", "score.accept": "steward", "score.end": "steward",
    # A steward accepted the grant and the owner caps it; what leaves is encrypted.
    "score.ask": "anybody",
    "steward.appoint": "steward", "steward.dismiss": "steward",
}
"""Who may use each command: ``anybody`` reads, and needs no more than the control socket."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        steward: name of the appointed steward whose key signed the request; None for the operator.
    """

    steward: str | None = None


def check_verb(command: str, caller: Caller, *, appointed: bool) -> None:
    """Decide whether a caller may use a command.

    Args:
        command: name of the command; one that is not listed is a steward's.
        caller: who asks.
        appointed: whether this node has a steward.

    Raises:
        RefusedError: it belongs to the other role.
    """
    role = VERBS.get(command, "steward")
    if role == "steward" and appointed and caller.steward is None:
        raise RefusedError("auth.steward-only", "this is for a data steward of the node", got=f"{command}, unsigned",
                           expected="a request signed by an appointed steward's key",
                           hint="run it with SEALANE_STEWARD_HOME set to the steward's home")
    if role == "operator" and caller.steward is not None:
        raise RefusedError("auth.operator-only", "this is for the node's operator", got=f"{command} by a steward",
                           expected="the operator, at the control socket", hint="run it without SEALANE_STEWARD_HOME")
