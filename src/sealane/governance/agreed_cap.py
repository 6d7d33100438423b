"""The cap in an agreement, as the ledger keeps it: what all runs of one study together may cost one dataset."""

from __future__ import annotations

from sealane.governance.agreement import Agreement
from sealane.governance.study import Study
from sealane.privacy.acts import Cap
from sealane.privacy.amounts import parse_amount, parse_delta
from sealane.privacy.ledger import make_cap


def agreed_cap(agreement: Agreement, study: Study) -> Cap | None:
    """Return the cap on epsilon that an agreement sets for its dataset; None where it sets none.

    An agreement that caps delta alone bounds what the study may declare, and no epsilon.

    Raises:
        InputError: the cap is no usable amount.
    """
    delta = agreement.terms.delta or study.delta
    if agreement.terms.epsilon is None or delta is None:
        return None
    return make_cap(agreement.dataset, "study", study.hash, f"{study.name} ({study.hash[:12]})",
                    parse_amount(agreement.terms.epsilon, "epsilon"), parse_delta(delta), None)
