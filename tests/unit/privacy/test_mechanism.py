from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from expected_error import raises

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.errors import InputError
from sealane.privacy.amounts import difference, down, parse_amount, parse_delta, text_of, up
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.mechanism import (
    Concentrated,
    DiscreteGaussian,
    Laplace,
    Mechanism,
    check,
    describe,
    read_mechanism,
)

LONG = Decimal("3.14159265358979323846264338327950288419716939937510582097494")
MECHANISMS: list[Mechanism] = [
    Concentrated(Decimal("0.125")), Laplace(Decimal("2.5"), Decimal(1)), DiscreteGaussian(LONG, 4),
    DistributedGaussian(LONG, 2, 17, 9, Decimal("4e-19"), Decimal("1.1e-26"), Decimal(0)),
]


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: type(m).__name__)
def test_what_is_written_is_read_to_the_last_digit(mechanism: Mechanism) -> None:
    written = canonical_bytes(describe(mechanism))
    assert read_mechanism(parse_canonical(written)) == mechanism


@pytest.mark.parametrize("change", [
    {"kind": "gaussian"}, {"kind": None}, {"rho": 0.1}, {"rho": "1e-400"}, {"rho": "-1"}, {"rho": "NaN"}, {"more": 1},
])
def test_other_descriptions_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read_mechanism(describe(MECHANISMS[0]) | change)


@pytest.mark.parametrize("impossible", [
    Concentrated(Decimal(-1)), Laplace(Decimal(0), Decimal(1)), DiscreteGaussian(Decimal(0), 1),
    DiscreteGaussian(Decimal(1), -1),
])
def test_impossible_numbers_are_refused(impossible: Mechanism) -> None:
    with raises("privacy.bad-mechanism", InputError):
        check(impossible)


def test_amounts_are_read_exactly() -> None:
    assert parse_amount("0.1", "epsilon") * 10 == 1  # which no float gives three times over
    assert parse_amount("1e-6", "epsilon") == Decimal("0.000001")
    assert [text_of(Decimal(t)) for t in ("0.10", "1e-6", "3.000", "1e-30")] == ["0.1", "0.000001", "3", "1E-30"]


@pytest.mark.parametrize("text", ["", "0", "-1", "+1", "1.", ".5", "nan", "inf", "1_0", " 1", "1\n", "1e-61", "1e13",
                                  "0x1", "1,5", "٣"])
def test_what_is_no_plain_positive_decimal_is_refused(text: str) -> None:
    with raises("privacy.bad-amount", InputError):
        parse_amount(text, "epsilon")


def test_delta_is_below_one() -> None:
    assert parse_delta("0.999999") < 1
    with raises("privacy.bad-delta", InputError):
        parse_delta("1")


def test_rounding_goes_against_the_spender() -> None:
    third = Decimal(1) / Decimal(3)
    assert (up(third), down(third)) == (Decimal("0.333334"), Decimal("0.333333"))
    assert difference(Decimal(1), Decimal("0.9999999999999999999999999999999999999999")) > 0
    assert difference(Decimal(1), Decimal(2)) == 0
