"""A computation's price against what a study promises, and a sum against its price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from expected_error import raises

from sealane.computations.noise import mechanism_of
from sealane.errors import InputError, RefusedError
from sealane.governance.differencing import Group, check_rows
from sealane.governance.pricing import check_promise, check_sum
from sealane.governance.study import Study
from sealane.privacy.mechanism import Concentrated, DiscreteGaussian, Laplace, Mechanism, Price
from sealane.secagg.layout import plan
from sealane.secagg.terms import Term, count, real, update

Build = Callable[..., Study]
UNIT_GAUSSIAN = 1 / (2 * Decimal("4.530877117") ** 2)
"""The rho of what dp-accounting's tests state to be (1, 1e-6)."""


def test_a_price_within_the_promise_passes(build: Build) -> None:
    price = Price(Concentrated(UNIT_GAUSSIAN))
    check_promise(build(), None)
    check_promise(build(), price)
    check_promise(build(epsilon="1.000001", delta="1e-6"), price)


@pytest.mark.parametrize(("price", "code"), [
    (Price(Concentrated(UNIT_GAUSSIAN * 2)), "study.price-exceeded"),
    (Price(Concentrated(UNIT_GAUSSIAN), sums=2), "study.price-exceeded"),
    (None, "study.not-private"),
])
def test_a_price_beyond_the_promise_is_refused(build: Build, price: Price | None, code: str) -> None:
    with raises(code, RefusedError):
        check_promise(build(epsilon="1.000001", delta="1e-6"), price)


SIGMA = Decimal(5)
PRICE = Price(mechanism_of(SIGMA, honest=2, entries=4, norm_squared=1))


def cells(length: int = 4, sigma: Decimal | None = SIGMA) -> Term:
    return count(np.ones(length, dtype=np.int64), 10, noise=sigma)


def test_a_sum_as_it_was_priced_passes() -> None:
    check_sum(plan({"cells": cells()}, 3, smallest=3, colluding=1), PRICE)
    check_sum(plan({"cells": cells(3, SIGMA * 2)}, 5, smallest=3, colluding=1), PRICE)


@pytest.mark.parametrize(("terms", "colluding", "code"), [
    ({"cells": cells(sigma=None)}, 1, "ledger.sum-without-noise"),
    ({"cells": cells(), "rows": count([1], 10)}, 1, "ledger.sum-without-noise"),
    ({"cells": cells(5)}, 1, "ledger.sum-differs"),
    ({"cells": cells(sigma=Decimal("4.99"))}, 1, "ledger.sum-differs"),
    ({"u": update(np.zeros(4), 1.0, 8, norm=1.0, noise=SIGMA)}, 1, "ledger.sum-differs"),  # a norm of 127 steps
    ({"cells": cells()}, 0, "ledger.sum-differs"),  # shared among three, each of whom adds less
])
def test_another_sum_is_refused(terms: dict[str, Term], colluding: int, code: str) -> None:
    with raises(code, RefusedError):
        check_sum(plan(terms, 3, smallest=3, colluding=colluding), PRICE)


def test_an_update_without_a_norm_is_as_long_as_its_entries_allow() -> None:
    free = plan({"u": update(np.zeros(4), 1.0, 4, noise=SIGMA)}, 3, smallest=3, colluding=1)  # each within 7 steps
    check_sum(free, Price(mechanism_of(SIGMA, honest=2, entries=4, norm_squared=4 * 7 * 7)))
    with raises("ledger.sum-differs", RefusedError):
        check_sum(free, Price(mechanism_of(SIGMA, honest=2, entries=4, norm_squared=4 * 7 * 7 - 1)))


def test_a_price_that_counts_on_more_honest_nodes_than_there_are_is_refused() -> None:
    mechanism = replace(PRICE.mechanism, honest=3)
    with raises("ledger.sum-differs", RefusedError):
        check_sum(plan({"cells": cells()}, 3, smallest=3, colluding=1), Price(mechanism))


@pytest.mark.parametrize("mechanism", [
    Laplace(Decimal(9), Decimal(1)), Concentrated(Decimal("0.1")), DiscreteGaussian(SIGMA, 1),
])
def test_a_price_that_no_sum_can_be_held_against_is_refused(mechanism: Mechanism) -> None:
    with raises("ledger.price-not-of-a-sum", RefusedError):
        check_sum(plan({"cells": cells()}, 3, smallest=3, colluding=1), Price(mechanism))


def test_real_numbers_take_no_noise() -> None:
    term = real([1.0], 2.0)
    with raises("sum.noise-on-reals", InputError):
        plan({"x": Term(term.values, term.kind, term.bound, noise=SIGMA)}, 3, smallest=3, colluding=1)


def test_the_same_rows_may_be_asked_for_again() -> None:
    check_rows([], "all", minimum_count=10, colluding=1)
    check_rows(["term = 60"], "term = 60", minimum_count=10, colluding=1)


@pytest.mark.parametrize("groups", [
    None, [Group(500, 5), Group(9, 5)], [Group(500, 5), Group(40, 2)], [Group(1, 1)],
])
def test_filters_that_may_isolate_a_few_are_refused(groups: list[Group] | None) -> None:
    with raises("rows.differencing", RefusedError):
        check_rows(["all"], "term = 60", groups, minimum_count=10, colluding=1)


def test_filters_that_tell_large_groups_apart_pass() -> None:
    check_rows(["all", "term = 60"], "term = 36", [Group(10, 3), Group(0, 0), Group(500, 5)], minimum_count=10,
               colluding=1)
