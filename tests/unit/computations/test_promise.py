"""The one noised sum that any computation may offer: which parameters ask for it, what it costs, whom it hides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from expected_error import raises

from sealane.computations.promise import (
    PromisedParameters,
    bounded,
    check_unit,
    noise_of,
    price_of_sum,
    promise_of,
    standard_error,
    told,
    with_unit,
)
from sealane.errors import InputError
from sealane.governance.contract import Contract, Field

EXACT = PromisedParameters()
ASKED = PromisedParameters(epsilon="1", delta="1e-6")
CONTRACT = Contract(id="test.promise/v1", fields=(
    Field(name="who", type="text"), Field(name="weight", type="number", minimum=0, maximum=9)))


def test_without_a_promise_there_is_no_noise_and_no_price() -> None:
    assert (EXACT.promised, noise_of(EXACT, 2, 10), price_of_sum(EXACT, 2, 10)) == (False, None, None)
    assert (promise_of(EXACT, None), told(None)) == (None, "")


def test_noise_is_of_the_width_that_others_publish_and_grows_with_the_norm() -> None:
    # dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6).
    assert noise_of(ASKED, 2, 3) == Decimal("4.531")
    wider = PromisedParameters(epsilon="1", delta="1e-6", unit="who", rows_per_unit=3)
    sigma = noise_of(wider, 2, 3, norm_squared=4)
    assert sigma is not None
    assert 6 * 4.530877117 <= float(sigma) <= 6 * 4.535
    price = price_of_sum(wider, 2, 3, norm_squared=4)
    assert price is not None
    assert (price.sums, price.unit, price.mechanism.norm_squared, price.mechanism.entries) == (1, "who", 36, 3)


def test_more_institutions_than_promised_for_only_add_noise() -> None:
    assert standard_error(Decimal(8), honest=2, size=2) == pytest.approx(8)
    assert standard_error(Decimal(8), honest=2, size=5) == pytest.approx(8 * (5 / 2) ** 0.5)


def test_a_person_counts_so_many_rows() -> None:
    frame = pd.DataFrame({"who": ["p", "p", None, "p", "q"], "x": range(5)})
    asked = PromisedParameters(epsilon="1", delta="1e-6", unit="who", rows_per_unit=2)
    assert bounded(frame, asked)["x"].tolist() == [0, 1, 4]
    assert bounded(frame, ASKED)["x"].tolist() == [0, 1, 2, 3, 4]
    assert (with_unit(["x"], asked), with_unit(["x"], ASKED)) == (["x", "who"], ["x"])
    said = promise_of(asked, 3.0)
    assert said == {"epsilon": "1", "delta": "1e-6", "unit": "who", "rows_per_unit": 2, "standard_error": 3.0}
    assert "for each who and institution" in told(said)


def test_a_unit_names_people_and_is_not_counted() -> None:
    check_unit(ASKED, CONTRACT, ["weight"])
    named = PromisedParameters(epsilon="1", delta="1e-6", unit="who")
    check_unit(named, CONTRACT, ["weight"])
    with raises("promise.unit-counted", InputError):
        check_unit(named, CONTRACT, ["who"])
    with raises("promise.unit-type", InputError):
        check_unit(PromisedParameters(epsilon="1", delta="1e-6", unit="weight"), CONTRACT, [])


@pytest.mark.parametrize("wrong", [
    {"epsilon": "1"}, {"delta": "1e-6"}, {"unit": "who"}, {"epsilon": "1", "delta": "1e-6", "rows_per_unit": 2},
    {"epsilon": "1", "delta": "1e-6", "unit": "row"}, {"epsilon": "1", "delta": "1e-6", "unit": "institution"},
    {"epsilon": "0", "delta": "1e-6"},
    {"epsilon": 1.0, "delta": "1e-6"}, {"epsilon": "1", "delta": "1"},
])
def test_half_a_promise_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, InputError)):
        PromisedParameters(**wrong)
