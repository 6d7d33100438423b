from __future__ import annotations

import pytest

from sealane.errors import InputError
from sealane.governance.classification import (
    CATEGORIES,
    GradingTable,
    Label,
    at_least,
    load_grading,
    lowers,
    read_label,
)
from sealane.governance.contract import Contract, load_contract

CONTRACT = load_contract(b"""
id = "test.people/v1"
[[fields]]
name = "Card_No"
type = "text"
[[fields]]
name = "term"
type = "category"
allowed = ["a"]
[[fields]]
name = "amount"
type = "number"
minimum = 0
maximum = 1
[[fields]]
name = "note"
type = "text"
""")
TABLE = b"""
default = "internal:2"
[types]
text = "personal:3"
[content]
resident-identity = "sensitive-personal:4"
[[rules]]
names = "card_no"
label = "financial-account:4"
[contracts."test.people/v1"]
term = "public:1"
"""


@pytest.fixture
def contract() -> Contract:
    return CONTRACT


def test_labels_come_from_contract_name_type_content_and_else_the_default(contract: Contract) -> None:
    found = load_grading(TABLE).propose(contract, {"note": ["resident-identity"], "term": []})
    assert {name: str(one.label) for name, one in found.items()} == {
        "Card_No": "financial-account:4", "term": "public:1", "amount": "internal:2", "note": "sensitive-personal:4"}
    assert found["note"].reasons == ("no rule speaks of it", "it is text", "content: resident-identity")


def test_content_raises_what_the_contract_declares(contract: Contract) -> None:
    found = load_grading(TABLE).propose(contract, {"term": ["resident-identity"]})
    assert str(found["term"].label) == "sensitive-personal:4"


def test_a_pack_without_a_table_is_cautious(contract: Contract) -> None:
    found = GradingTable().propose(contract, {"amount": ["bank-card"]})
    assert {name: str(one.label) for name, one in found.items()} == {
        "Card_No": "personal:3", "term": "internal:3", "amount": "financial-account:4", "note": "personal:3"}


@pytest.mark.parametrize("text", ["public", "public:0", "public:6", "secret:3", "public:1:vital", "public:1 ", ""])
def test_malformed_labels(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_label(text)
    assert caught.value.code == "grade.malformed"


def test_a_label_reads_as_it_is_written() -> None:
    for text in ("public:1", "health:4:important", "internal:2:core", "trade-secret:5:core"):
        assert str(read_label(text)) == text
    assert read_label("internal:5") == Label("internal", 5, "core")


def test_which_label_protects_less() -> None:
    three, important = Label("personal", 3), Label("internal", 3, "important")
    assert lowers(Label("personal", 2), three)
    assert lowers(Label("internal", 3), three)  # no longer personal
    assert lowers(Label("personal", 4), Label("health", 4))  # no longer sensitive
    assert lowers(Label("internal", 4), important)
    assert not lowers(Label("health", 4), three)
    assert not lowers(three, three)
    assert at_least(three, important) == Label("personal", 3, "important")


@pytest.mark.parametrize(("data", "code"), [
    (b"\xff", "grading.not-toml"), (b"a = ", "grading.not-toml"), (b"default = 3", "grading.malformed"),
    (b"extra = 1", "grading.malformed"), (b"[[rules]]\nnames = '('\nlabel = 'public:1'", "grading.malformed"),
    (b"default = 'public:9'", "grade.malformed"),
])
def test_tables_that_are_none(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_grading(data)
    assert caught.value.code == code


def test_categories_are_ordered_from_open_to_sensitive() -> None:
    assert (CATEGORIES[0], CATEGORIES[-1]) == ("public", "sensitive-personal")


@pytest.mark.parametrize("text", ["personal:5", "personal:5:general", "health:5:important", "internal:5:core"])
def test_grade_five_is_core_whatever_the_label_says(text: str) -> None:
    assert read_label(text).tier == "core"
