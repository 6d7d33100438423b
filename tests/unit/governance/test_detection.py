from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.governance.detection import (
    detect,
    is_card_number,
    is_email,
    is_iban,
    is_mobile_number,
    is_personal_name,
    is_resident_identity,
    passes_luhn,
)

# GB 11643-1999 gives the first two as its examples; the rest are wrong in one digit, date or form.
IDENTITIES = ["11010519491231002X", "440524188001010014", "11010519491231002x"]
NOT_IDENTITIES = ["110105194912310021", "440524188001010015", "110105194913310026", "11010519491231002", "X" * 18]
# Numbers that card schemes publish for tests; 6200000000000005 is UnionPay's.
CARDS = ["4111111111111111", "5555555555554444", "6200000000000005", "4111 1111 1111 1111", "378282246310005"]
NOT_CARDS = ["4111111111111112", "79927398713", "1111111111111117", "41111111111111111111"]
# From the IBAN registry.
IBANS = ["GB29NWBK60161331926819", "DE89 3704 0044 0532 0130 00", "NO9386011117947"]
NOT_IBANS = ["GB28NWBK60161331926819", "DE89370400440532013001", "gb29nwbk60161331926819"]

CASES: list[tuple[Callable[[str], bool], list[str], list[str]]] = [
    (is_resident_identity, IDENTITIES, NOT_IDENTITIES),
    (is_card_number, CARDS, NOT_CARDS),
    (is_iban, IBANS, NOT_IBANS),
    (is_mobile_number, ["13800138000", "+86 139-1234-5678", "8615912345678"],
     ["12800138000", "1380013800", "12345678901"]),
    (is_email, ["a.b+c@example.org", "x@y.co"], ["a@b", "@x.org", "a b@x.org"]),
    (is_personal_name, ["王小明", "欧阳修", "Mary Smith", "John O'Neil", "Ann B. Lee"],
     ["小明明明明", "term_36", "GRADE A", "安全生产责任"]),
]


@pytest.mark.parametrize(("matches", "good", "bad"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_published_examples(matches: Callable[[str], bool], good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not matches(text)] == []
    assert [text for text in bad if matches(text)] == []


def test_luhn_by_its_textbook_example() -> None:
    assert passes_luhn("79927398713")
    assert [digit for digit in "0123456789" if passes_luhn("7992739871" + digit)] == ["3"]


@given(st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_of_an_identity_number_is_always_seen(place: int, by: int) -> None:
    text = "440524188001010014"
    wrong = text[:place] + str((int(text[place]) + by) % 10) + text[place + 1:]
    assert not is_resident_identity(wrong)


def test_a_column_is_reported_by_its_share_and_only_counted() -> None:
    assert detect([("11010519491231002X", 2), ("ordinary", 998)]) == {"resident-identity": 2}
    assert detect([("4111111111111111", 40), ("1234567890123", 60)]) == {}  # chance meets Luhn often
    assert detect([("4111111111111111", 60), ("x", 40)]) == {"bank-card": 60}
    assert detect([("王小明", 500), ("李雷", 400), ("-", 100)]) == {"personal-name": 900}
    assert detect([]) == {}


@given(st.text(max_size=60))
def test_no_text_breaks_a_detector(text: str) -> None:
    assert set(detect([(text, 1)])) <= {"resident-identity", "bank-card", "iban", "mobile-number", "e-mail",
                                        "personal-name"}
