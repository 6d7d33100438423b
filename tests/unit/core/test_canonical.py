"""One value has one byte string: the published examples of RFC 8785, and everything that is not in that form."""

from __future__ import annotations

import hashlib
import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.canonical import canonical_bytes, content_hash, parse_canonical, sha256
from sealane.errors import InputError

# RFC 8785, section 3.2.2 (input) and 3.2.4 (the bytes).
SAMPLE = r"""{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
SAMPLE_BYTES = bytes.fromhex("""
    7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 73
    22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 2c 31
    65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c
    22 2f 22 7d""")
# RFC 8785, section 3.2.3: names sort by UTF-16 code units, not by code points.
NAMES = {
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
}
ORDER = ["Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
         "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"]
# RFC 8785, appendix B: IEEE 754 bits and the text.
NUMBERS = [line.split() for line in """
    0000000000000000 0
    8000000000000000 0
    0000000000000001 5e-324
    8000000000000001 -5e-324
    7fefffffffffffff 1.7976931348623157e+308
    ffefffffffffffff -1.7976931348623157e+308
    4340000000000000 9007199254740992
    c340000000000000 -9007199254740992
    4430000000000000 295147905179352830000
    44b52d02c7e14af5 9.999999999999997e+22
    44b52d02c7e14af6 1e+23
    44b52d02c7e14af7 1.0000000000000001e+23
    444b1ae4d6e2ef4e 999999999999999700000
    444b1ae4d6e2ef4f 999999999999999900000
    444b1ae4d6e2ef50 1e+21
    3eb0c6f7a0b5ed8c 9.999999999999997e-7
    3eb0c6f7a0b5ed8d 0.000001
    41b3de4355555553 333333333.3333332
    41b3de4355555554 333333333.33333325
    41b3de4355555555 333333333.3333333
    41b3de4355555556 333333333.3333334
    41b3de4355555557 333333333.33333343
    becbf647612f3696 -0.0000033333333333333333
    43143ff3c1cb0959 1424953923781206.2
""".strip().splitlines()]


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def refusal(data: bytes, **limits: int) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_canonical(data, **limits)
    return caught.value


def test_the_sample_of_the_rfc() -> None:
    assert canonical_bytes(json.loads(SAMPLE)) == SAMPLE_BYTES
    assert parse_canonical(SAMPLE_BYTES) == json.loads(SAMPLE)
    assert content_hash(json.loads(SAMPLE)) == hashlib.sha256(SAMPLE_BYTES).digest()


def test_names_sort_by_utf_16_code_units() -> None:
    assert list(json.loads(canonical_bytes(NAMES)).values()) == ORDER


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_of_appendix_b(bits: str, text: str) -> None:
    number, = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number) == text.encode()
    assert parse_canonical(text.encode()) == number


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_nan_and_infinity_have_no_form(bits: str) -> None:
    number, = struct.unpack(">d", bytes.fromhex(bits))
    with pytest.raises(InputError) as caught:
        canonical_bytes({"deep": [number]})
    assert caught.value.code == "canonical.not-json"


@pytest.mark.parametrize("value", [2**53, -(2**53), {1: 2}, {"a": b"bytes"}, {1, 2}, object(), "\ud800", {"\udfff": 1},
                                   nested(100_000)], ids=lambda value: type(value).__name__)
def test_what_json_cannot_carry_exactly_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        canonical_bytes(value)
    assert caught.value.code == "canonical.not-json"


def test_integers_up_to_the_limit_are_exact() -> None:
    assert canonical_bytes([2**53 - 1, -(2**53) + 1]) == b"[9007199254740991,-9007199254740991]"


@pytest.mark.parametrize("data", [
    b"", b"{", b"\xff\xfe", b"NaN", b"[Infinity]", b"-Infinity", b"1e400", b'"\\ud800"', b'{"\\ud800":1}',
    b'{"\\ud800":1,"a":2}', b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000, b"9" * 5000, b"\xef\xbb\xbf{}",
], ids=lambda data: repr(data[:12]))
def test_bytes_that_are_no_json_of_ours(data: bytes) -> None:
    assert refusal(data).code == "canonical.not-json"


@pytest.mark.parametrize("data", [
    b"9007199254740993", b"1" + b"0" * 21,
    b"{ }", b"{}\n", b" 1", b"1.0", b"-0", b"1E2", b"0.0000001", b'{"b":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"a":2}',
    b'"\\u0041"', b'"\\/"', b'"\\u20ac"', '{"\ufb33":1,"\U0001f600":2}'.encode(),
], ids=repr)
def test_another_spelling_of_a_value_is_refused(data: bytes) -> None:
    json.loads(data)  # each is JSON, only not in the one form
    error = refusal(data)
    assert (error.code, error.hint) == ("canonical.not-canonical", "re-encode it")


@given(st.floats(1e15, 1e22), st.sampled_from([1, -1]))
def test_a_float_too_large_for_an_exact_integer_comes_back(size: float, sign: int) -> None:
    number = sign * size
    found = parse_canonical(canonical_bytes({"variance": number}))
    assert found == {"variance": number}
    assert canonical_bytes(found) == canonical_bytes({"variance": number})
    assert isinstance(found["variance"], float) or abs(found["variance"]) < 2**53


@given(st.integers(2**53, 10**22), st.sampled_from([1, -1]))
def test_an_integer_too_large_to_be_exact_is_refused(size: int, sign: int) -> None:
    with pytest.raises(InputError):
        canonical_bytes(sign * size)
    # RFC 8785, section 3.2.2.3: numbers are IEEE doubles, written with the fewest digits that tell them apart.
    if int(Decimal(repr(float(size)))) != size:
        assert refusal(str(sign * size).encode()).code == "canonical.not-canonical"


def test_the_size_is_looked_at_before_the_content() -> None:
    document = canonical_bytes("x" * 98)
    assert parse_canonical(document, limit=100) == "x" * 98
    error = refusal(document + b"\xff", limit=100)
    assert (error.code, error.got, error.expected) == ("canonical.too-large", "101", "at most 100")


def test_lengths_part_what_is_hashed_together() -> None:
    expected = hashlib.sha256(b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\1c").digest()
    assert sha256(b"ab", b"c") == expected
    assert len({sha256(b"ab", b"c"), sha256(b"a", b"bc"), sha256(b"abc"), sha256(b"abc", b""), sha256()}) == 5
