"""Labelled derivation against the HKDF of ``cryptography``."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive

KEY = bytes(range(32))


def expected(label: bytes, parts: tuple[bytes, ...]) -> bytes:
    info = label + b"\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HKDF(SHA256(), 32, b"sealane v1", info).derive(KEY)


@pytest.mark.parametrize("parts", [(), (b"",), (b"transcript", b"north"), (b"x" * 70_000,)], ids=len)
def test_it_is_hkdf_over_label_and_parts(parts: tuple[bytes, ...]) -> None:
    assert derive(Secret(KEY), "self mask", *parts).reveal() == expected(b"self mask", parts)


def test_no_two_purposes_share_a_key() -> None:
    asked = [("a", ()), ("b", ()), ("a", (b"",)), ("a", (b"", b"")), ("a", (b"bc", b"d")), ("a", (b"b", b"cd")),
             ("a", (b"bcd",)), ("ab", (b"cd",))]
    assert len({derive(Secret(KEY), label, *parts).reveal() for label, parts in asked}) == len(asked)
    assert derive(Secret(KEY), "a") != derive(Secret(bytes(32)), "a")


def test_a_label_is_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        derive(Secret(KEY), "m\u00e4sk")
