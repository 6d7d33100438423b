"""Signed statements as JSON-ready values, and studies by their name: what commands of the node and the analyst show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sealane.governance.agreement import Agreement, verify_agreement
from sealane.governance.counter import verify_counter
from sealane.governance.negotiation import standing_of, taken_up
from sealane.governance.signed_statement import SignedAgreement, SignedCounter, SignedRefusal, Statement, verify_refusal
from sealane.governance.study import Study
from sealane.governance.study_state import LISTED, ambiguous
from sealane.governance.terms import differences

if TYPE_CHECKING:
    from sealane.node.register import Register


def find_study(register: Register, wanted: str) -> Study:
    """Return a study by name or by hash, or by 8 or more first digits of it.

    Raises:
        InputError: there is none, or several have that name or begin so.
    """
    found = [study for study in (entry.study for entry in register.studies())
             if study.name == wanted or (len(wanted) >= 8 and study.hash.startswith(wanted))]
    if len(found) > 1:
        newest = found[:-LISTED - 1:-1]
        raise ambiguous(wanted, [(study, register.statements(study.hash)) for study in newest], len(found))
    return found[0] if found else register.study(wanted)


def describe(statement: Statement, study: Study) -> dict[str, Any]:
    """Return what a signed statement says, once it is verified, as JSON-ready values.

    Raises:
        ProtocolError: it does not verify.
        RefusedError: it is an agreement with a term that is not understood.
    """
    match statement:
        case SignedAgreement():
            return describe_agreement(verify_agreement(statement, study), study)
        case SignedCounter():
            counter = verify_counter(statement, study)
            return {"node": counter.node, "decision": "countered", "at": counter.offered_at, "reason": counter.reason,
                    "changes": counter.changes}
        case SignedRefusal():
            refusal = verify_refusal(statement, study)
            return {"node": refusal.node, "decision": "refused", "at": refusal.refused_at, "reason": refusal.reason}


def describe_agreement(agreement: Agreement, study: Study) -> dict[str, Any]:
    """Return an agreement as JSON-ready values, with the terms in which it is narrower than the study."""
    narrower = {name: own for name, (_, own) in differences(agreement.terms, study).items()
                if name not in ("code", "tariff", "waives_differencing")}
    names = {party.fingerprint: party.name for party in study.recipients}
    if "recipients" in narrower:
        narrower["recipients"] = sorted(names[one] for one in agreement.terms.recipients)
    tariff = agreement.terms.tariff
    terms = asdict(agreement.terms) | {"tariff": None if tariff is None else tariff.model_dump()}
    return {"node": agreement.node, "decision": "approved", "at": agreement.signed_at, "dataset": agreement.dataset,
            "dataset_version": agreement.dataset_version, "waives_differencing": agreement.waives_differencing,
            "code": agreement.terms.code, "narrower": _plain(narrower), "tariff": terms["tariff"],
            "id": agreement.id, "terms": _plain(terms)}


def standings(study: Study, statements: Sequence[Statement],
              replaced: tuple[Study, Sequence[Statement]] | None = None) -> dict[str, str]:
    """Return by participant's name where the negotiation with it stands; ``replaced`` is what the study amends."""
    accepted = taken_up(study, *replaced) if replaced is not None else frozenset()
    return {name: str(state) for name, state in standing_of(study, statements, accepted=accepted).items()}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
