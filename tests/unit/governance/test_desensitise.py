from __future__ import annotations

import hashlib
import hmac

import pandas as pd
import pytest

from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import load_contract
from sealane.governance.desensitise import (
    check_k_anonymity,
    columns_read,
    desensitise,
    load_desensitisation,
    pseudonym,
    shift_of,
    smallest_group,
)

KEY = Secret(b"k" * 32)
CONTRACT = load_contract(b"""
id = "test.people/v1"
[[fields]]
name = "person"
type = "text"
[[fields]]
name = "age"
type = "integer"
minimum = 0
maximum = 120
nullable = true
[[fields]]
name = "city"
type = "category"
allowed = ["Suzhou", "Wuxi", "Dalian"]
[[fields]]
name = "seen"
type = "date"
nullable = true
[[fields]]
name = "income"
type = "number"
minimum = 0
maximum = 1000
""")
RULES = """
k = 2
quasi_identifiers = ["age", "city"]
[[rules]]
field = "person"
do = "pseudonym"
[[rules]]
field = "age"
do = "generalise"
width = 10.0
[[rules]]
field = "city"
do = "generalise"
groups = { Suzhou = "Jiangsu", Wuxi = "Jiangsu" }
[[rules]]
field = "seen"
do = "shift-dates"
subject = "person"
days = 30
[[rules]]
field = "income"
do = "code"
top = 100.0
bottom = 10.0
"""
FRAME = pd.DataFrame({
    "person": ["p1", "p1", "p2", "p3"], "age": [31.0, 39.0, 30.0, 34.0],
    "city": ["Suzhou", "Wuxi", "Suzhou", "Suzhou"],
    "seen": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-01-01", None]), "income": [5.0, 50.0, 500.0, 100.0]})


def test_every_technique_by_hand() -> None:
    rules = load_desensitisation(RULES.encode(), CONTRACT)
    assert columns_read(rules) == ["person", "age", "city", "seen", "income"]
    shown = desensitise(FRAME, rules, KEY)
    assert list(shown["age"]) == ["[30, 40)"] * 4
    assert list(shown["city"]) == ["Jiangsu"] * 4
    assert list(shown["income"]) == [10.0, 50.0, 100.0, 100.0]
    assert shown["person"][0] == shown["person"][1] != shown["person"][2]
    assert not set(shown["person"]) & set(FRAME["person"])
    # A subject's dates keep their distance; a missing one stays missing.
    assert (shown["seen"][1] - shown["seen"][0]).days == 31
    assert abs((shown["seen"][0] - FRAME["seen"][0]).days) <= 30
    assert pd.isna(shown["seen"][3])
    assert list(FRAME["age"]) == [31.0, 39.0, 30.0, 34.0]


def test_a_pseudonym_is_the_published_construction_and_depends_on_key_and_field() -> None:
    message = b"pseudonym" + (6).to_bytes(4, "big") + b"person" + b"p1"
    assert pseudonym(KEY, "person", "p1") == hmac.new(b"k" * 32, message, hashlib.sha256).hexdigest()[:32]
    others = [pseudonym(KEY, "other", "p1"), pseudonym(Secret(b"j" * 32), "person", "p1")]
    assert len({pseudonym(KEY, "person", "p1"), *others}) == 3


def test_shifts_cover_the_whole_range_and_follow_the_key() -> None:
    shifts = [shift_of(KEY, f"p{n}", 3) for n in range(300)]
    assert set(shifts) == set(range(-3, 4))
    assert shifts == [shift_of(KEY, f"p{n}", 3) for n in range(300)]
    assert shifts != [shift_of(Secret(b"j" * 32), f"p{n}", 3) for n in range(300)]


def test_a_top_makes_one_interval_of_all_beyond() -> None:
    text = RULES.replace("width = 10.0", "width = 10.0\ntop = 40.0")
    rules = load_desensitisation(text.replace('["age", "city"]', '["city"]').encode(), CONTRACT)
    shown = desensitise(FRAME.assign(age=[39.9, 40.0, 89.0, None], city="Suzhou"), rules, KEY)
    assert list(shown["age"]) == ["[30, 40)", "[40, inf)", "[40, inf)", None]


def test_fewer_than_k_alike_is_refused() -> None:
    frame = FRAME.assign(city=["Suzhou", "Suzhou", "Suzhou", "Dalian"])
    with pytest.raises(RefusedError) as caught:
        desensitise(frame, load_desensitisation(RULES.encode(), CONTRACT), KEY)
    assert caught.value.code == "desensitise.k-too-small"
    assert "Dalian" not in str(caught.value)


def test_k_anonymity_by_hand() -> None:
    frame = pd.DataFrame({"a": ["x", "x", "x", None, None], "b": [1, 1, 2, 3, 3]})
    assert smallest_group(frame, ["a"]) == 2
    assert smallest_group(frame, ["a", "b"]) == 1
    check_k_anonymity(frame, ["a"], 2)
    with pytest.raises(RefusedError):
        check_k_anonymity(frame, ["a"], 3)
    with pytest.raises(RefusedError):
        check_k_anonymity(frame.head(0), ["a"], 2)


def test_a_date_whose_subject_is_missing_is_left_out() -> None:
    shown = desensitise(FRAME.assign(person=["p1", "p1", "p2", None], seen=FRAME["seen"][0]),
                        load_desensitisation(RULES.encode(), CONTRACT), KEY)
    assert list(shown["seen"].isna()) == [False, False, False, True]


def test_dates_to_months_and_years_and_kept_fields() -> None:
    rules = load_desensitisation(b'quasi_identifiers = ["seen"]\nk = 2\n[[rules]]\nfield = "seen"\ndo = "generalise"\n'
                                 b'to = "year"\n[[rules]]\nfield = "income"\ndo = "keep"', CONTRACT)
    shown = desensitise(FRAME.head(3), rules, KEY)
    assert list(shown["seen"]) == ["2026"] * 3
    assert list(shown.columns) == ["seen", "income"]


@pytest.mark.parametrize(("text", "code"), [
    ("a =", "desensitise.not-toml"), ("k = 2", "desensitise.malformed"), (RULES.replace("k = 2", "k = 1"),
                                                                       "desensitise.malformed"),
    (RULES.replace('["age", "city"]', '["age", "job"]'), "desensitise.malformed"),
    (RULES.replace('["age", "city"]', "[]"), "desensitise.malformed"),
    (RULES.replace('field = "income"', 'field = "age"'), "desensitise.malformed"),
    (RULES.replace("width = 10.0", "width = 10.0\nto = 'year'"), "desensitise.malformed"),
    (RULES.replace('field = "income"', 'field = "wage"'), "contract.unknown-field"),
    (RULES.replace('subject = "person"', 'subject = "who"'), "contract.unknown-field"),
    (RULES.replace("width = 10.0", "to = 'year'"), "desensitise.type-differs"),
    (RULES.replace("width = 10.0", "width = 10.0\ntop = 95.0"), "desensitise.malformed"),
    (RULES.replace("width = 10.0", "groups = { a = 'b' }\ntop = 90.0"), "desensitise.malformed"),
    ("# " + "x" * (1 << 20), "desensitise.too-large"),
])
def test_rules_that_are_none(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_desensitisation(text.encode(), CONTRACT)
    assert caught.value.code == code
