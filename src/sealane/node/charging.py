"""What a run owes the ledger, and when: between the policy gate and the ledger, for one run at a time."""

from __future__ import annotations

from dataclasses import replace

from sealane.computations.pricing import price_under, rows_of
from sealane.errors import RefusedError
from sealane.governance.agreed_cap import agreed_cap
from sealane.governance.agreement import Agreement
from sealane.governance.contract import Contract
from sealane.governance.differencing import check_rows
from sealane.governance.pricing import check_sum
from sealane.governance.study import Study
from sealane.node.ledger import NodeLedger
from sealane.privacy.acts import Request
from sealane.privacy.ledger import Ledger
from sealane.privacy.mechanism import Price
from sealane.secagg.layout import Layout


def enter_cap(ledger: NodeLedger, agreement: Agreement, study: Study) -> None:
    """Enter what an agreement caps into the ledger, before it is signed; a limit on releases stays.

    Raises:
        InputError: the cap is no usable amount.
    """
    cap = agreed_cap(agreement, study)
    if cap is None:
        return
    with ledger.reading() as book:
        before = book.caps.get((cap.dataset, cap.scope, cap.target))
    ledger.put_cap(replace(cap, releases=None if before is None else before.releases))


def request_of(run_id: str, study: Study, dataset: str, version: str, computation: object, parameters: object,
               contract: Contract, smallest: int | None = None) -> Request:
    """Return what a run of a study asks of a dataset; ``smallest`` as for :func:`price_under`.

    Raises:
        InputError: no noise keeps what the parameters promise.
        RefusedError: it costs more than the study allows.
    """
    return Request(
        run=run_id, dataset=dataset, version=version, study=study.hash,
        recipients=tuple((one.name, one.fingerprint) for one in study.recipients), computation=study.computation,
        price=price_under(study, computation, parameters, contract, smallest),
        rows=rows_of(computation, parameters))


class Charging:
    """The account of one run.

    Args:
        ledger: of the node.
        run_id: of the run.
        study: that it belongs to.
        own: this institution's approval, which names the dataset and its version.
        computation: that runs.
        parameters: its parameters.
        smallest: fewest survivors, by the tightest of all agreements: what the noise of a sum is laid out for.
    """

    def __init__(
        self, ledger: NodeLedger, run_id: str, study: Study, own: Agreement, computation: object, parameters: object,
        smallest: int,
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._study = study
        self._own = own
        self._computation = computation
        self._parameters = parameters
        self._smallest = smallest
        self._price: Price | None = None
        self._released = False

    def reserve(self, contract: Contract) -> None:
        """Hold what the run may cost, before it computes; after a restart or in another attempt, the same again.

        Raises:
            RefusedError: a cap, the study's promise or an earlier filter of rows forbids it.
        """
        study, own = self._study, self._own
        request = request_of(self._run_id, study, own.dataset, own.dataset_version, self._computation,
                             self._parameters, contract, self._smallest)
        self._price = request.price

        def guard(ledger: Ledger) -> None:
            earlier = {entry.request.rows for entry in ledger.of(own.dataset, own.dataset_version)
                       if entry.held and entry.request.version == own.dataset_version}
            check_rows(earlier, request.rows, minimum_count=study.minimum_count, colluding=study.colluding)

        self._ledger.reserve(request, guard)

    def commit(self, number: int, layout: Layout | None) -> None:
        """Charge the sum of an exchange: it is on disk when this returns, and only then may anything leave.

        Letters have no layout, and no noise: a computation with a price writes none.

        Raises:
            RefusedError: the sum is not what was priced, or one more than was reserved.
        """
        if self._price is not None:
            if layout is None:
                raise RefusedError("ledger.letters-without-noise", "a computation with a price writes letters",
                                   expected="sums with noise only")
            check_sum(layout, self._price)
        elif self._released:
            return  # without noise a run counts once, however many sums it opens
        self._ledger.commit(self._run_id, number)
        self._released = True
