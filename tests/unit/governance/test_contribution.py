"""Shares of games whose Shapley values are known from the literature, worked out by hand."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.errors import InputError
from sealane.governance.contribution import Coalition, leave_one_out, sampled_shapley, shapley


def glove(coalition: Coalition) -> float:
    """One left glove (a) and two right ones (b, c): a pair is worth 1. Shapley: 2/3, 1/6, 1/6."""
    return float("a" in coalition and bool(coalition & {"b", "c"}))


def airport(coalition: Coalition) -> float:
    """Littlechild and Owen: a runway costs what its largest aeroplane needs, 8, 11, 13 or 18."""
    return max([{"a": 8.0, "b": 11.0, "c": 13.0, "d": 18.0}[name] for name in coalition], default=0.0)


def test_glove_game() -> None:
    assert shapley("abc", glove) == pytest.approx({"a": 2 / 3, "b": 1 / 6, "c": 1 / 6})
    assert leave_one_out("abc", glove) == {"a": 1.0, "b": 0.0, "c": 0.0}


def test_airport_game() -> None:
    # 8/4; + 3/3; + 2/2; + 5/1
    assert shapley("abcd", airport) == pytest.approx({"a": 2.0, "b": 3.0, "c": 4.0, "d": 9.0})


def test_an_estimate_over_all_orders_is_the_value() -> None:
    estimate = sampled_shapley("abcd", airport, permutations("abcd"))
    assert estimate == pytest.approx({"a": 2.0, "b": 3.0, "c": 4.0, "d": 9.0})


@given(st.lists(st.floats(-1e6, 1e6), min_size=16, max_size=16), st.permutations("abcd"), st.permutations("abcd"))
def test_efficiency_symmetry_and_the_null_player(values: list[float], one: list[str], two: list[str]) -> None:
    def value(coalition: Coalition) -> float:
        return values[sum(1 << "abcd".index(name) for name in coalition)]

    worth = value(frozenset("abcd")) - value(frozenset())
    assert sum(shapley("abcd", value).values()) == pytest.approx(worth, abs=1e-6)
    assert sum(sampled_shapley("abcd", value, [one, two]).values()) == pytest.approx(worth, abs=1e-6)

    def with_null(coalition: Coalition) -> float:
        return value(coalition - {"z"})

    assert shapley("abcdz", with_null)["z"] == 0.0


def test_each_coalition_is_valued_once() -> None:
    asked: list[Coalition] = []

    def value(coalition: Coalition) -> float:
        asked.append(coalition)
        return float(len(coalition))

    shapley("abcd", value)
    assert (len(asked), len(set(asked))) == (16, 16)
    asked.clear()
    sampled_shapley("abcd", value, [*permutations("abcd")])
    assert (len(asked), len(set(asked))) == (16, 16)
    asked.clear()
    leave_one_out("abcd", value)
    assert len(asked) == 5


@pytest.mark.parametrize(("orders", "code"), [
    ([], "contribution.no-orders"), (["abc"], "contribution.not-an-order"), (["abcc"], "contribution.not-an-order"),
    (["abcde"], "contribution.not-an-order"),
])
def test_what_is_no_order_is_refused(orders: list[str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        sampled_shapley("abcd", airport, orders)
    assert caught.value.code == code


@pytest.mark.parametrize("names", ["", "aa"])
def test_institutions_are_distinct_and_there_is_one(names: str) -> None:
    with pytest.raises(InputError) as caught:
        shapley(names, glove)
    assert caught.value.code == "contribution.institutions"
