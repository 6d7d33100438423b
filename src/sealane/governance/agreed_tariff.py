"""The tariff in an institution's own signed agreement: what a settlement of its study is reckoned by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sealane.audit.entry import statement_digest
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import SignedAgreement, Statement
from sealane.governance.statement import Settlement
from sealane.governance.study import Study
from sealane.governance.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Agreed:
    """What an institution signed about prices.

    Attributes:
        digest: of the signed agreement, as in the audit log.
        tariff: that it holds, or None.
    """

    digest: str
    tariff: Tariff | None


def agreed_tariff(study: Study, statements: Iterable[Statement], fingerprint: str) -> Agreed | None:
    """Return what an institution's own agreement to a study says of prices; None where it has signed none.

    An agreement that was revoked since still says what the runs before cost.

    Raises:
        ProtocolError: an agreement does not verify.
        RefusedError: it holds a term that is not understood.
    """
    for one in statements:
        if isinstance(one, SignedAgreement):
            agreement = verify_agreement(one, study)
            if agreement.fingerprint == fingerprint:
                return Agreed(statement_digest(one.body, one.public_key, one.signature), agreement.terms.tariff)
    return None


def tariff_for(agreed: Agreed | None, by_hand: Tariff | None) -> tuple[Tariff, str | None]:
    """Return the tariff of a statement, and the digest of the agreement that it is from; None where given by hand.

    Raises:
        InputError: the agreement has a tariff and another was given, or neither is there.
    """
    if agreed is not None and agreed.tariff is not None:
        if by_hand is not None:
            raise InputError("settlement.tariff-agreed", "the agreement has a tariff, and no other can take its place",
                             got=by_hand.describe(), expected=agreed.tariff.describe(), hint="leave --tariff out")
        return agreed.tariff, agreed.digest
    if by_hand is None:
        raise InputError("settlement.no-tariff", "the agreement to the study has no tariff",
                         got="no agreement" if agreed is None else f"agreement {agreed.digest[:16]}",
                         hint="give one that both sides know with --tariff FILE; `study approve --tariff` signs one")
    return by_hand, None


def check_tariff(settlement: Settlement, study: Study, statements: Iterable[Statement]) -> None:
    """Hold a statement's tariff against the agreement of the node that made it.

    Raises:
        RefusedError: no agreement of the node is known.
        ProtocolError: the statement has another tariff than was agreed, names another agreement, or does not verify.
    """
    agreed = agreed_tariff(study, statements, settlement.node.fingerprint)
    if agreed is None or study.hash != settlement.study:
        raise RefusedError("settlement.agreement-unknown", "no agreement of the statement's node to the study is known",
                           got=f"{settlement.node.name}, study {settlement.study[:12]}",
                           hint="without it nobody can tell which tariff was agreed")
    wanted = None if agreed.tariff is None else agreed.digest
    if settlement.agreement != wanted or agreed.tariff not in (None, settlement.tariff):
        raise ProtocolError(
            "settlement.tariff-differs", "the statement's tariff is not the one in the node's agreement",
            got=f"{settlement.tariff.describe()}, from {origin(settlement.agreement)}",
            expected="one given by hand" if agreed.tariff is None
            else f"{agreed.tariff.describe()}, from {origin(agreed.digest)}",
            hint="the node bills by what it signed for the study: ask it for another statement")


def origin(agreement: str | None) -> str:
    """Return in words where a tariff is from."""
    return "no agreement: it was given by hand" if agreement is None else f"agreement {agreement[:16]}"
