"""How much each institution adds to a value that coalitions reach together: leave-one-out and Shapley's share.

Pure functions over ``value(coalition)``. What a coalition's value is, and whether it may be asked for at all, is the
caller's business: each is one more run over one more cohort.

Source: L. S. Shapley, "A value for n-person games" (1953); permutation sampling after J. Castro, D. Gómez, J. Tejada,
"Polynomial calculation of the Shapley value based on sampling" (2009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb

from sealane.errors import InputError

Coalition = frozenset[str]
Value = Callable[[Coalition], float]
LARGEST_EXACT = 6
"""Institutions up to which every coalition is valued (2^6 = 64 runs); above it orders are sampled."""


def leave_one_out(institutions: Sequence[str], value: Value) -> dict[str, float]:
    """Return what the value of all falls by without each institution: n + 1 values are asked for."""
    everyone = _everyone(institutions)
    whole = value(everyone)
    return {name: whole - value(everyone - {name}) for name in institutions}


def shapley(institutions: Sequence[str], value: Value) -> dict[str, float]:
    """Return each institution's Shapley value, exactly: all 2^n coalitions are valued, each once.

    The shares add up to the value of all less that of none (efficiency).
    """
    everyone = _everyone(institutions)
    n = len(everyone)
    values = {frozenset(chosen): value(frozenset(chosen))
              for size in range(n + 1) for chosen in combinations(institutions, size)}
    weights = [Fraction(1, n * comb(n - 1, size)) for size in range(n)]
    return {name: float(sum(
        (weights[len(others)] * (Fraction(values[others | {name}]) - Fraction(values[others]))
         for others in values if name not in others), Fraction(0))) for name in institutions}


def sampled_shapley(institutions: Sequence[str], value: Value, orders: Iterable[Sequence[str]]) -> dict[str, float]:
    """Return estimates of the Shapley values: what each adds on arrival, on average over orders of arrival.

    Orders drawn evenly at random make the estimate unbiased; over all orders it is exact. The shares add up to the
    value of all less that of none whatever orders are given. Each coalition is valued once.

    Raises:
        InputError: no order, or one that is not of all institutions.
    """
    everyone = _everyone(institutions)
    values: dict[Coalition, float] = {}
    sums = dict.fromkeys(institutions, Fraction(0))
    count = 0
    for order in orders:
        if len(order) != len(everyone) or frozenset(order) != everyone:
            raise InputError("contribution.not-an-order", "an order of arrival does not name every institution once",
                             got=", ".join(order)[:200])
        arrived: Coalition = frozenset()
        for name in order:
            before = _once(values, arrived, value)
            arrived |= {name}
            sums[name] += Fraction(_once(values, arrived, value)) - Fraction(before)
        count += 1
    if not count:
        raise InputError("contribution.no-orders", "no order of arrival is given", expected="at least one")
    return {name: float(share / count) for name, share in sums.items()}


def _once(values: dict[Coalition, float], coalition: Coalition, value: Value) -> float:
    if coalition not in values:
        values[coalition] = value(coalition)
    return values[coalition]


def _everyone(institutions: Sequence[str]) -> Coalition:
    everyone = frozenset(institutions)
    if not everyone or len(everyone) != len(institutions):
        raise InputError("contribution.institutions", "institutions are at least one and distinct",
                         got=f"{len(institutions)} names")
    return everyone
