"""Names and fingerprints: what is one, what is none, and fingerprints computed again without our code."""

from __future__ import annotations

import hashlib
import re

import pytest

from sealane.core.ids import (
    CONTRACT_ID,
    RUN_ID,
    check_fingerprint,
    check_name,
    fingerprint,
    new_run_id,
)
from sealane.errors import InputError

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648, table 3, in lower case
# Public keys of RFC 8032, section 7.1, tests 1 and 2.
KEYS = [bytes.fromhex(text) for text in (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")]


def base32(data: bytes) -> str:
    """Five bits at a time, most significant first, zeros to fill up the last."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(ALPHABET[int(bits[at:at + 5], 2)] for at in range(0, len(bits), 5))


@pytest.mark.parametrize("key", [*KEYS, bytes(32), b"\xff" * 32])
def test_a_fingerprint_is_a_labelled_hash_in_base32(key: bytes) -> None:
    expected = base32(hashlib.sha256(b"sealane fingerprint v1\0" + key).digest())
    assert len(expected) == 52
    assert fingerprint(key) == expected
    assert check_fingerprint(expected) == expected


def test_a_fingerprint_may_be_read_aloud() -> None:
    plain = fingerprint(KEYS[0])
    spoken = "-".join(plain[at:at + 4] for at in range(0, 52, 4)).upper()
    assert check_fingerprint(spoken) == plain
    assert check_fingerprint(f" {plain[:26]} {plain[26:]} ") == plain


@pytest.mark.parametrize("change", [
    lambda text: text[:-1], lambda text: text + "a", lambda text: "1" + text[1:], lambda text: "",
    lambda text: "8" * 52,
    # 256 bits fill 51 characters and one bit of the last: only "a" and "q" end a hash.
    lambda text: text[:-1] + "b", lambda text: text + "\n", lambda text: "\u0430" + text[1:],
])
def test_anything_else_is_no_fingerprint(change: object) -> None:
    assert callable(change)
    with pytest.raises(InputError) as caught:
        check_fingerprint(change(fingerprint(KEYS[0])))
    assert caught.value.code == "fingerprint.malformed"
    assert "sealane node status" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["a", "north", "north-west_2", "a" * 63])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "North", "2nd", "-a", "_a", "a" * 64, "a b", "a/b", "../a", "a\n", "a.b",
                                  "n\u00f6rd"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_name(name, "dataset")
    assert caught.value.code == "name.malformed"
    assert "dataset" in caught.value.message


def test_a_long_name_is_not_repeated_whole() -> None:
    with pytest.raises(InputError) as caught:
        check_name("A" * 10_000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("text", "legal"), [
    ("finance.credit-application/v1", True), ("a.b/v9999", True), ("finance.credit/v0", False), ("finance/v1", False),
    ("finance.credit/1", False), ("Finance.credit/v1", False), ("finance.credit/v10000", False),
])
def test_contract_ids(text: str, legal: bool) -> None:
    assert bool(CONTRACT_ID.fullmatch(text)) is legal


def test_run_ids_are_fresh_and_well_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {new_run_id() for _ in range(200)}
    assert len(made) == 200
    assert all(RUN_ID.fullmatch(one) and re.fullmatch("r-[a-z2-7]{16}", one) for one in made)
    monkeypatch.setattr("sealane.core.ids.random_bytes", lambda count: bytes(range(count)))
    assert new_run_id() == "r-" + base32(bytes(range(10)))
