"""Labelled derivation against HKDF done again with ``hmac``."""

from __future__ import annotations

import hmac_kdf
import pytest

from sealane.core.secret import Secret
from sealane.crypto.derivation import derive

KEY = bytes(range(32))


def expected(label: bytes, parts: tuple[bytes, ...], length: int) -> bytes:
    info = label + b"\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac_kdf.expand(hmac_kdf.extract(b"sealane v1", KEY), info, length)


def test_the_reference_fits_the_rfc() -> None:
    """RFC 5869, appendix A.1."""
    key = hmac_kdf.extract(bytes(range(13)), b"\x0b" * 22)
    assert key.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert hmac_kdf.expand(key, bytes(range(0xf0, 0xfa)), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


@pytest.mark.parametrize("length", [1, 16, 32, 33, 64, 255])
@pytest.mark.parametrize("parts", [(), (b"",), (b"transcript", b"north"), (b"x" * 70_000,)], ids=len)
def test_it_is_hkdf_over_label_and_parts(parts: tuple[bytes, ...], length: int) -> None:
    assert derive(Secret(KEY), "self mask", *parts, length=length).reveal() == expected(b"self mask", parts, length)


def test_no_two_purposes_share_a_key() -> None:
    asked = [("a", ()), ("b", ()), ("a", (b"",)), ("a", (b"", b"")), ("a", (b"bc", b"d")), ("a", (b"b", b"cd")),
             ("a", (b"bcd",)), ("ab", (b"cd",))]
    assert len({derive(Secret(KEY), label, *parts).reveal() for label, parts in asked}) == len(asked)
    assert derive(Secret(KEY), "a") != derive(Secret(bytes(32)), "a")


def test_a_label_is_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        derive(Secret(KEY), "m\u00e4sk")
