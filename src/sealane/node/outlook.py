"""What the ledger has to say about a study before it is signed, and whether an agreement's own cap is used up."""

from __future__ import annotations

from typing import Any

from sealane.computations.registry import get, read_parameters
from sealane.errors import SealaneError
from sealane.governance.agreed_cap import agreed_cap
from sealane.governance.agreement import Agreement
from sealane.governance.study import Study
from sealane.node.charging import request_of
from sealane.node.datasets import contract_of
from sealane.node.home import NodeHome
from sealane.node.register import DatasetEntry
from sealane.privacy.acts import Request
from sealane.privacy.overview import fits, forecast


def outlook(home: NodeHome, study: Study, entry: DatasetEntry) -> dict[str, Any]:
    """Return what one run of a study would cost a dataset, what is left of every cap on it, and how many runs fit.

    Raises:
        InputError: no noise keeps what the parameters promise.
        RefusedError: a run costs more than the study allows.
    """
    with home.ledger.reading() as ledger:
        return forecast(ledger, _request(study, entry))


def is_spent(home: NodeHome, study: Study, agreement: Agreement) -> bool:
    """Tell whether what was charged leaves no other run under the epsilon that an agreement caps.

    Reservations do not count, since they may be given back, nor do the dataset's other caps, which may be raised.
    """
    cap = agreed_cap(agreement, study)
    entries = [entry for entry in home.register.datasets() if entry.name == agreement.dataset]
    if cap is None or not entries:
        return False
    try:
        request = _request(study, entries[0])
    except SealaneError:
        return False  # what cannot be priced here any more is refused when it runs
    if request.price is None:
        return False
    with home.ledger.reading() as ledger:
        return fits(ledger, request, cap, reserved=False) == 0


def _request(study: Study, entry: DatasetEntry) -> Request:
    return request_of("", study, entry.name, entry.version, get(study.computation),
                      read_parameters(study.computation, study.parameters), contract_of(entry))
