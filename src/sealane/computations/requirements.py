"""What a computation with given parameters asks of a dataset, known before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.computations.registry import get, read_parameters
from sealane.governance.contract import Contract


def required_columns(name: str, values: Mapping[str, Any], contract: Contract) -> list[str]:
    """Return the fields of a contract that a computation reads, in its order.

    Args:
        name: of the computation.
        values: its parameters, as a study gives them.
        contract: that the datasets conform to.

    Raises:
        InputError: the computation is not installed here, it does not take the parameters, or a column is no field
            of the contract.
    """
    columns: list[str] = get(name).columns(read_parameters(name, values))
    return [contract.field(column).name for column in columns]
