from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from sealane.errors import InputError
from sealane.governance.contract import Contract, Field, infer_contract, load_contract

GOOD = b"""
id = "finance.loan/v1"
title = "Loans"
[[fields]]
name = "annual_inc"
type = "number"
unit = "USD"
minimum = 0
maximum = 1e7
[[fields]]
name = "term"
type = "category"
allowed = ["term_36", "term_60"]
"""


def test_loads_from_bytes_and_path(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(GOOD)
    contract = load_contract(path)
    assert contract == load_contract(GOOD)
    assert contract.names == ["annual_inc", "term"]
    assert contract.field("annual_inc").maximum == 1e7
    assert contract.field("term").allowed == ("term_36", "term_60")


def test_unknown_field_names_near_ones() -> None:
    with pytest.raises(InputError) as caught:
        load_contract(GOOD).field("anual_inc")
    assert caught.value.code == "contract.unknown-field"
    assert "annual_inc" in (caught.value.hint or "")


def test_hash_follows_every_rule() -> None:
    contract = load_contract(GOOD)
    assert contract.hash == load_contract(GOOD).hash
    other = load_contract(GOOD.replace(b"1e7", b"2e7"))
    assert contract.hash != other.hash
    assert len(contract.hash) == 64


@pytest.mark.parametrize(("data", "code"), [
    (b"\xff", "contract.not-toml"),
    (b"id = ", "contract.not-toml"),
    (b"id = 'finance.loan/v1'", "contract.malformed"),
    (GOOD.replace(b"finance.loan/v1", b"loan"), "contract.malformed"),
    (GOOD.replace(b"unit", b"units"), "contract.malformed"),
    (GOOD + b" " * (1 << 20), "contract.too-large"),
])
def test_bad_contracts_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_contract(data)
    assert caught.value.code == code


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_contract(tmp_path / "none.toml")
    assert caught.value.code == "contract.unreadable"


@pytest.mark.parametrize("fields", [
    {"name": "a", "type": "category"},
    {"name": "a", "type": "number", "allowed": ["x"]},
    {"name": "a", "type": "number", "minimum": 2.0, "maximum": 1.0},
    {"name": "a", "type": "number", "minimum": float("nan")},
    {"name": "a", "type": "text", "minimum": 1.0},
    {"name": "a", "type": "boolean", "maximum": 2.0},
    {"name": " a", "type": "number"},
    {"name": "a\nb", "type": "number"},
    {"name": "a", "type": "category", "allowed": ["x", "x"]},
])
def test_incoherent_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Field.model_validate(fields)


def test_two_fields_of_one_name_are_refused() -> None:
    field = Field(name="a", type="number")
    with pytest.raises(ValidationError):
        Contract(id="finance.x/v1", fields=(field, field))


def test_inference_spans_all_frames() -> None:
    one = pd.DataFrame({"x": [1.5, np.nan], "n": [3, 9], "bad": [0, 1], "grade": ["B", "A"], "only_here": [1, 2],
                        "day": pd.to_datetime(["2026-01-01", "2026-01-02"]), "flag": [True, False]})
    two = pd.DataFrame({"x": [-4.0, 7.0], "n": [-2, 5], "bad": [1, 1], "grade": ["C", None],
                        "day": pd.to_datetime(["2026-01-01", "2026-01-02"]), "flag": [True, True]})
    contract = infer_contract({"north": one, "south": two})
    assert contract.id == "simulation.inferred/v1"
    assert contract.names == ["x", "n", "bad", "grade", "day", "flag"]
    x, n, bad, grade, day, flag = contract.fields
    assert (x.type, x.minimum, x.maximum, x.nullable) == ("number", -4.0, 7.0, True)
    assert (n.type, n.minimum, n.maximum, n.nullable) == ("integer", -2.0, 9.0, False)
    assert (bad.type, bad.minimum, bad.maximum) == ("boolean", 0.0, 1.0)
    assert (grade.type, grade.allowed, grade.nullable) == ("category", ("A", "B", "C"), True)
    assert (day.type, flag.type) == ("date", "boolean")


def test_inference_reads_nullable_and_categorical_storage() -> None:
    frame = pd.DataFrame({"c": pd.Categorical([3, 1, 3]), "i": pd.array([1, None, 4], dtype="Int64"),
                          "b": pd.Series([True, None, False], dtype=object), "empty": [np.nan] * 3})
    c, i, b, empty = infer_contract({"a": frame}).fields
    assert (c.type, c.allowed) == ("category", ("1", "3"))
    assert (i.type, i.maximum, i.nullable) == ("integer", 4.0, True)
    assert (b.type, b.nullable) == ("boolean", True)
    assert (empty.type, empty.nullable) == ("number", True)


def test_inference_takes_decimals_for_the_numbers_they_are() -> None:
    frame = pd.DataFrame({"pay": [Decimal("10.10"), None, Decimal(-2)], "mixed": [Decimal(3), 0.5, 7],
                          "flag": pd.Series([True, 0, 1.0], dtype=object),
                          "counts": pd.Series([1, 2, 3], dtype=object)})
    pay, mixed, flag, counts = infer_contract({"a": frame}).fields
    assert (pay.type, pay.minimum, pay.maximum, pay.nullable) == ("number", -2.0, 10.1, True)
    assert (mixed.type, mixed.minimum, mixed.maximum) == ("number", 0.5, 7.0)
    assert flag.type == "boolean"
    assert (counts.type, counts.maximum) == ("number", 3.0)


@pytest.mark.parametrize(("values", "code", "hint"), [
    (pd.to_timedelta([1, 2], unit="D"), "contract.duration", "total_seconds"),
    ([timedelta(days=1), None], "contract.duration", "total_seconds"),
    (["a", 1], "contract.mixed-types", "astype(str)"),
    (["1", Decimal(1)], "contract.mixed-types", "to_numeric"),
    ([True, "yes", None], "contract.mixed-types", "astype(str)"),
])
def test_columns_without_a_type_are_refused_with_a_hint(values: Any, code: str, hint: str) -> None:
    column = pd.Series(values, dtype=object if isinstance(values, list) else None)
    with pytest.raises(InputError) as caught:
        infer_contract({"a": pd.DataFrame({"x": column}), "b": pd.DataFrame({"x": [1.0]})})
    assert caught.value.code == code
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(("frames", "code"), [
    ({}, "contract.no-frames"),
    ({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"y": [1]})}, "contract.no-common-column"),
    ({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"x": ["u"]})}, "contract.type-differs"),
    ({"a": pd.DataFrame({"x": [1.0, np.inf]})}, "contract.not-finite"),
    ({"a": pd.DataFrame([[1, 2]], columns=["x", "x"])}, "contract.duplicate-column"),
])
def test_frames_without_a_contract(frames: dict[str, pd.DataFrame], code: str) -> None:
    with pytest.raises(InputError) as caught:
        infer_contract(frames)
    assert caught.value.code == code


RULED = """
id = "test.ruled/v1"
key = ["a"]
[[fields]]
name = "a"
type = "text"
[[fields]]
name = "n"
type = "number"
[[fields]]
name = "m"
type = "integer"
[[fields]]
name = "d"
type = "date"
[[rules]]
name = "n over m"
left = "n"
relation = ">"
right = "m"
where = { a = "x" }
[freshness]
field = "d"
days = 30
"""


def test_keys_rules_and_freshness_are_under_the_hash() -> None:
    contract = load_contract(RULED.encode())
    assert (contract.key, contract.rules[0].relation) == (("a",), ">")
    assert contract.freshness is not None
    assert contract.freshness.days == 30
    changed = [RULED.replace('key = ["a"]', 'key = ["n"]'), RULED.replace('">"', '">="'), RULED.replace("30", "31")]
    assert len({contract.hash, *(load_contract(text.encode()).hash for text in changed)}) == 4


@pytest.mark.parametrize("change", [
    ('key = ["a"]', 'key = ["b"]'), ('key = ["a"]', 'key = ["a", "a"]'), ('left = "n"', 'left = "b"'),
    ('right = "m"', 'right = "d"'), ('right = "m"', 'value = "text"'), ('right = "m"', ""),
    ('right = "m"', 'right = "m"\nvalue = 3'), ('where = { a = "x" }', 'where = { b = "x" }'),
    ('left = "n"\nrelation = ">"\nright = "m"', 'left = "d"\nrelation = ">"\nvalue = "in May"'),
    ('field = "d"', 'field = "n"'), ('relation = ">"', 'relation = "~"'),
    ("[freshness]", '[[rules]]\nname = "n over m"\nleft = "n"\nrelation = "<"\nvalue = 3\n[freshness]'),
])
def test_rules_that_are_none(change: tuple[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        load_contract(RULED.replace(*change).encode())
    assert caught.value.code == "contract.malformed"


CODED = GOOD + b"""
[[fields]]
name = "pressure"
type = "number"
unit = "mm[Hg]"
system = "http://loinc.org"
code = "8480-6"
"""


def test_codes_are_part_of_the_hash_and_their_absence_is_not() -> None:
    assert load_contract(CODED).field("pressure").code == "8480-6"
    assert load_contract(CODED).hash != load_contract(CODED.replace(b"8480-6", b"8462-4")).hash
    # Written down before contracts could name code systems: datasets registered then keep their contract.
    assert load_contract(GOOD).hash == "642264d3da226e3acf1c3da7b935933e71f874663aff362c09f9e285fb3fcdb1"
    assert Contract.model_validate_json(load_contract(CODED).model_dump_json()) == load_contract(CODED)


@pytest.mark.parametrize("keys", [
    b'code = "8480-6"', b'system = "http://loinc.org"', b'system = "LOINC"\ncode = "8480-6"',
    b'system = "http://loinc.org"\ncode = " 8480-6"', b'system = "http://loinc.org"\ncode = ""',
])
def test_malformed_codes_are_refused(keys: bytes) -> None:
    with pytest.raises(InputError) as caught:
        load_contract(GOOD + b'[[fields]]\nname = "pressure"\ntype = "number"\n' + keys)
    assert caught.value.code == "contract.malformed"


def test_only_a_date_has_come_to_pass() -> None:
    past = GOOD + b'[[fields]]\nname = "seen"\ntype = "date"\npast = true\n'
    assert load_contract(past).field("seen").past
    assert load_contract(past).hash != load_contract(past.replace(b"true", b"false")).hash
    with pytest.raises(InputError) as caught:
        load_contract(past.replace(b'"date"', b'"text"'))
    assert caught.value.code == "contract.malformed"


def test_a_column_that_a_frame_lacks_is_explained():
    frames = {"north": pd.DataFrame({"x": [1.0], "b": [2.0]}), "south": pd.DataFrame({"x": [1.0]})}
    with pytest.raises(InputError) as caught:
        infer_contract(frames).field("b")
    assert caught.value.code == "contract.unknown-field"
    assert "a frame lacks" in caught.value.hint
