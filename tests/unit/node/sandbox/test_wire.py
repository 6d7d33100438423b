"""What a child sends is checked like bytes of a stranger, whatever it is."""

from __future__ import annotations

import json
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locked_in import LIMITS, LockedIn

from sealane.errors import ProtocolError, RefusedError, SealaneError
from sealane.governance.contract import infer_contract
from sealane.node.sandbox.arrays import (
    read_terms,
    read_totals,
    read_values,
    terms_frame,
    totals_frame,
)
from sealane.node.sandbox.described import LONGEST_TEXT, heard, tell
from sealane.node.sandbox.frames import Frame, read_header, read_prefix, write_head
from sealane.node.sandbox.letters import letters_frame, read_letters
from sealane.node.sandbox.rows import SealedRows, seal_rows
from sealane.secagg.terms import Term, count, real, update

GOOD = {"name": "n", "kind": "count", "dtype": "<i8", "shape": [2], "bound": "0x1.4p+3", "bits": 0,
        "norm": "0x0.0p+0", "noise": None, "whole": False, "signed": False, "void": False}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.text(max_size=8) | st.floats(allow_nan=False,
                                                                                           allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4), max_leaves=12)


def test_terms_arrive_as_they_were() -> None:
    terms = {"n": count([[1, -2], [3, 4]], 10, signed=True), "x": real([0.1, -1e300], 1.7e300),
             "none": real([], 2.0**-500), "rows": count([5], 10),
             "u": update(np.array([0.5, 1.5, 2.5], dtype=np.float32), 2.0, 12, norm=3.0, noise=Decimal("12.5")),
             "scalar": real(7.25, 8.0)}
    frame = terms_frame(terms)
    got = read_terms(read_header(write_head(frame)[12:], frame.body))
    assert list(got) == list(terms)
    for name, term in terms.items():
        other: Term = got[name]
        assert (other.kind, other.bound, other.bits, other.norm, other.noise, other.whole, other.signed) == (
            term.kind, term.bound, term.bits, term.norm, term.noise, term.whole, term.signed)
        assert other.values.dtype == term.values.dtype
        assert other.values.shape == term.values.shape
        assert other.values.flags.aligned
        np.testing.assert_array_equal(other.values, term.values)


def test_totals_arrive_in_their_own_precision() -> None:
    totals = {"n": np.array([[1, -2]]), "x": np.array([0.1]), "u": np.array([0.5, -1.25], dtype=np.float32)}
    frame = totals_frame(totals)
    got = read_totals(read_header(write_head(frame)[12:], frame.body))
    for name, values in totals.items():
        assert got[name].dtype == values.dtype
        np.testing.assert_array_equal(got[name], values)


@pytest.mark.parametrize("change", [
    {"kind": "sum"}, {"kind": ["count"]}, {"dtype": "<f8"}, {"dtype": "|O"}, {"dtype": 3}, {"shape": [3]},
    {"shape": [-1]}, {"shape": [1 << 60, 1 << 60]}, {"shape": [True, 2]}, {"shape": [2.0]}, {"shape": 2},
    {"shape": [1]},
    {"shape": [1] * 9 + [2]}, {"bound": "nan"}, {"bound": "inf"}, {"bound": 10.0}, {"bound": "0x1.0p+9999"},
    {"bits": -1}, {"bits": True}, {"bits": 65}, {"name": ""}, {"name": "n" * 300}, {"name": None}, {"noise": "1e"},
    {"noise": "NaN"}, {"noise": "-1"}, {"more": 1}, {"signed": 0}, {"whole": None}, {"void": 1},
])
def test_a_term_that_is_not_as_it_has_to_be(change: dict[str, Any]) -> None:
    assert read_terms(Frame("sum", {"terms": [GOOD]}, bytes(16)))["n"].bound == 10.0
    with pytest.raises(ProtocolError) as caught:
        read_terms(Frame("sum", {"terms": [GOOD | change]}, bytes(16)))
    assert caught.value.code == "sandbox.malformed-frame"


@pytest.mark.parametrize("fields", [
    {}, {"terms": []}, {"terms": {}}, {"terms": [GOOD, GOOD]}, {"terms": [GOOD], "more": 1}, {"terms": [3]},
    {"terms": [GOOD] * 10_001},
])
def test_terms_that_are_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        read_terms(Frame("sum", fields, bytes(32)))


@pytest.mark.parametrize("body", [b"", bytes(8), bytes(15), bytes(24)])
def test_a_body_of_another_length(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_terms(Frame("sum", {"terms": [GOOD]}, body))


@given(header=st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode()), body=st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_an_error(header: bytes, body: bytes) -> None:
    try:
        frame = read_header(header, body)
    except ProtocolError:
        return
    for read in (read_terms, read_values):
        with pytest.raises(ProtocolError):
            read(frame)
    assert isinstance(heard(frame.fields, "r-test", LIMITS), SealaneError)


@given(st.fixed_dictionaries({key: st.just(value) | JSON for key, value in GOOD.items()}), st.binary(max_size=40))
def test_any_description_is_terms_or_an_error(one: dict[str, Any], body: bytes) -> None:
    try:
        terms = read_terms(Frame("sum", {"terms": [one]}, body))
    except ProtocolError:
        return
    assert {term.values.nbytes for term in terms.values()} <= set(range(len(body) + 1))


@given(st.dictionaries(st.sampled_from(["cause", "type", "places", "error", "x"]), JSON, max_size=4))
def test_any_error_is_told_as_one_of_ours(fields: dict[str, Any]) -> None:
    assert isinstance(heard(fields, "r-test", LIMITS), SealaneError)


@given(st.binary(min_size=12, max_size=12))
def test_lengths_are_bounded_before_anything_is_read(prefix: bytes) -> None:
    try:
        header, body = read_prefix(prefix, 1000)
    except ProtocolError:
        return
    assert 2 <= header <= 1 << 20
    assert body <= 1000


@pytest.mark.parametrize("sent", [
    b"\xff" * 40, struct.pack("<IQ", 0, 0), struct.pack("<IQ", 1 << 19, 1 << 40), struct.pack("<IQ", 4, 0) + b"null",
    struct.pack("<IQ", 14, 0) + b'{"kind":"sum"}', struct.pack("<IQ", 22, 0) + b'{"kind":"sum","x":NaN}',
    struct.pack("<IQ", 16, 0) + b'{"kind":"agree"}', struct.pack("<IQ", 15, 0) + b'{"kind":"what"}',
    struct.pack("<IQ", 17, 3) + b'{"kind":"result"}[1]', struct.pack("<IQ", 16, 0) + b'{"kind":"error"}',
])
async def test_malformed_frames_of_a_real_child(sent: bytes, inside: LockedIn) -> None:
    with pytest.raises(ProtocolError) as caught:
        await inside.act("raw", sent.hex())
    assert caught.value.code in ("sandbox.malformed-frame", "sandbox.frame-too-large")


def test_rows_arrive_as_they_were() -> None:
    frame = pd.DataFrame({
        "x": [1.5, np.nan, -np.inf, 0.1], "n": np.array([1, -2**62, 3, 4]), "flag": [True, False, True, True],
        "when": pd.to_datetime(["2020-01-01", None, "1969-07-20", "2262-04-11"]),
        "grade": pd.Series(["A", None, "", "Ünïcødé 🌾"], dtype=object), "empty": pd.Series([None] * 4, dtype=object)})
    contract = infer_contract({"a": frame.replace(-np.inf, 0.0)})
    handle, columns = seal_rows(frame)
    rows = SealedRows(handle, columns, contract, len(frame))
    got = rows.frame(["grade", "x", "n", "flag", "when", "empty"])
    pd.testing.assert_frame_equal(got, frame[["grade", "x", "n", "flag", "when", "empty"]])
    for attempt in (lambda: __import__("os").write(handle, b"x"), lambda: __import__("os").ftruncate(handle, 0)):
        with pytest.raises(PermissionError):
            attempt()


@pytest.mark.parametrize("length", [0, 1])
def test_no_rows_and_no_columns(length: int) -> None:
    frame = pd.DataFrame({"x": np.zeros(length)})
    handle, columns = seal_rows(frame)
    contract = infer_contract({"a": pd.DataFrame({"x": [1.0]})})
    assert len(SealedRows(handle, columns, contract, length).frame(["x"])) == length
    handle, columns = seal_rows(frame[[]])
    rows = SealedRows(handle, columns, contract, length)
    assert rows.rows == length
    assert len(rows.frame([])) == length


def test_a_column_that_is_no_column_of_a_checked_dataset() -> None:
    with pytest.raises(ProtocolError) as caught:
        seal_rows(pd.DataFrame({"x": pd.Series([b"canary", 3], dtype=object)}))
    assert caught.value.code == "sandbox.column-type"
    assert "canary" not in str(caught.value)


def test_an_error_carries_few_words_and_no_code_of_its_own() -> None:
    """A computation that means to send rows away in its refusals: the code is ours or none, the words are short."""
    rows = "4929123456789012" * 300
    told = tell(RefusedError("glm.few-events", rows, got=rows, expected=rows, hint=rows))["error"]
    assert all(len(text) <= LONGEST_TEXT for text in told.values())
    kept = heard({"error": told | {"code": "sum.total-out-of-range"}}, "r-test", LIMITS)
    assert kept.code == "sum.total-out-of-range"
    for lie in ({"code": "9.4929-1234-5678-9012"}, {"code": "rows." + "7" * 30}, {"message": rows}):
        assert heard({"error": told | {"code": "sum.total-out-of-range"} | lie}, "r-test", LIMITS).code == (
            "sandbox.malformed-frame")


@pytest.mark.parametrize(("fields", "body"), [
    ({}, b""), ({"to": {}}, b""), ({"to": [], "more": 1}, b""), ({"to": [["south"]]}, b""),
    ({"to": [["stranger", 1]]}, b"x"), ({"to": [["south", 1], ["south", 0]]}, b"x"), ({"to": [["south", 2]]}, b"x"),
    ({"to": [["south", -1]]}, b""), ({"to": [["south", True]]}, b"x"), ({"to": [["south", 0.0]]}, b""),
    ({"to": [["south", 1]]}, b"xy"), ({"to": [[["south"], 1]]}, b"x"),
])
def test_letters_that_are_none_are_refused(fields: dict[str, Any], body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_letters(Frame("letters", fields, body), {"south", "west"})
    assert caught.value.code == "sandbox.malformed-frame"


def test_letters_survive_the_wire() -> None:
    letters = {"south": b"text", "west": b""}
    assert read_letters(letters_frame(letters), {"south", "west"}) == letters
