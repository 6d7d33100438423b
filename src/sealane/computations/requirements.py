"""What a computation with given parameters asks of a dataset, known before any row is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealane.computations.registry import get, read_parameters
from sealane.governance.contract import Contract
from sealane.governance.study import DEFAULT_ROUNDS, MAXIMUM_ROUNDS


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


def most_exchanges(name: str, values: Mapping[str, Any]) -> int:
    """Return what a study's ``rounds`` should allow: most exchanges of a run, 200 or what the computation says.

    Raises:
        InputError: the computation is not installed here, or it does not take the parameters.
    """
    computation = get(name)
    own: int = getattr(computation, "exchanges", _unknown)(read_parameters(name, values))
    return min(max(own, DEFAULT_ROUNDS), MAXIMUM_ROUNDS)


def _unknown(_: object) -> int:
    return 0
