"""What a computation says of its privacy before it runs: its price, and which rows it reads.

Both are pure functions of what every institution signed. A computation without ``price`` releases exact sums, which
are counted (``privacy/ledger.py``); one without ``rows`` reads all rows of the dataset.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from sealane.governance.contract import Contract
from sealane.governance.pricing import check_promise
from sealane.governance.study import Study
from sealane.privacy.acts import ALL_ROWS
from sealane.privacy.mechanism import Price


@runtime_checkable
class Priced(Protocol):
    """A computation whose sums all carry noise."""

    def price(self, params: Any, contract: Contract, honest: int) -> Price | None:
        """Return what one run costs.

        Args:
            params: the study's parameters.
            contract: that the datasets conform to.
            honest: shares of noise that carry the promise: the smallest cohort, less the colluding ones.

        Raises:
            InputError: no noise keeps the promise that the parameters ask for.
        """


@runtime_checkable
class Filtering(Protocol):
    """A computation that reads some of a dataset's rows only."""

    def rows(self, params: Any) -> str:
        """Return its filter as text, the same for the same rows."""


def price_of(computation: object, params: Any, contract: Contract, honest: int) -> Price | None:
    """Return a computation's price, None where it has none. See :class:`Priced`."""
    return computation.price(params, contract, honest) if isinstance(computation, Priced) else None


def rows_of(computation: object, params: Any) -> str:
    """Return which rows a computation reads."""
    return computation.rows(params) if isinstance(computation, Filtering) else ALL_ROWS


def price_under(
    study: Study, computation: object, params: Any, contract: Contract, smallest: int | None = None
) -> Price | None:
    """Return what one run of a study costs a dataset, None where it adds no noise.

    Args:
        study: as agreed.
        computation: its computation.
        params: of that.
        contract: of the dataset.
        smallest: fewest survivors, where agreements ask for more than the study does.

    Raises:
        InputError: no noise keeps what the parameters promise.
        RefusedError: it costs more than the study allows.
    """
    price = price_of(computation, params, contract, (smallest or study.smallest_cohort) - study.colluding)
    check_promise(study, price)
    return price
