"""Signatures against RFC 8032 and the DSSE protocol, both done again without our code."""

from __future__ import annotations

import ed25519_reference
import pytest

from sealane.core.ids import fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey, pre_authentication_encoding, verify
from sealane.errors import ProtocolError

KIND = "application/vnd.sealane.approval+json"
# RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
VECTORS = [tuple(bytes.fromhex(part) for part in vector) for vector in (
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"),
)]


def encoded(kind: str, body: bytes) -> bytes:
    """DSSE v1: "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body, lengths in decimal."""
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(body)).encode(), body])


def refusal(public_key: bytes, kind: str, body: bytes, signature: bytes) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        verify(public_key, kind, body, signature)
    return caught.value


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_reference_fits_the_rfc(seed: bytes, public: bytes, message: bytes, signature: bytes) -> None:
    assert ed25519_reference.sign(seed, message) == (public, signature)


def test_the_example_of_the_dsse_protocol() -> None:
    assert pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == \
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize(("seed", "public", "message"), [vector[:3] for vector in VECTORS])
def test_a_signature_covers_type_and_body(seed: bytes, public: bytes, message: bytes) -> None:
    key = SigningKey(Secret(seed))
    assert (key.public_key, key.fingerprint) == (public, fingerprint(public))
    signature = key.sign(KIND, message)
    assert (public, signature) == ed25519_reference.sign(seed, encoded(KIND, message))
    verify(public, KIND, message, signature)


def test_a_signature_over_the_bare_bytes_counts_for_nothing() -> None:
    _, public, message, signature = VECTORS[2]
    assert refusal(public, KIND, message, signature).code == "signature.invalid"


def test_no_signature_serves_another_purpose_body_or_key() -> None:
    key, other = SigningKey(Secret(b"a" * 32)), SigningKey(Secret(b"b" * 32))
    signature = key.sign(KIND, b"body")
    for public_key, kind, body in [(other.public_key, KIND, b"body"), (key.public_key, KIND + "2", b"body"),
                                   (key.public_key, KIND, b"Body"), (key.public_key, KIND, b"body ")]:
        assert refusal(public_key, kind, body, signature).code == "signature.invalid"
    # What a type ends with and a body begins with cannot change places.
    assert pre_authentication_encoding("a", b"1 b") != pre_authentication_encoding("a 3", b"b")


def test_every_bit_of_a_signature_counts() -> None:
    key = SigningKey(Secret(b"a" * 32))
    signature = key.sign(KIND, b"body")
    for bit in range(512):
        changed = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
        assert refusal(key.public_key, KIND, b"body", changed).code == "signature.invalid"


def test_a_signature_has_one_spelling() -> None:
    """RFC 8032, 5.1.7: s is below the order, so that adding the order to it makes no second signature."""
    key = SigningKey(Secret(b"a" * 32))
    signature = key.sign(KIND, b"body")
    s = int.from_bytes(signature[32:], "little") + ed25519_reference.ORDER
    again = signature[:32] + s.to_bytes(32, "little")
    assert refusal(key.public_key, KIND, b"body", again).code == "signature.invalid"


@pytest.mark.parametrize(("public", "signature"), [(31, 64), (33, 64), (0, 64), (32, 63), (32, 65), (32, 0)])
def test_lengths_are_checked_first(public: int, signature: int) -> None:
    error = refusal(bytes(public), KIND, b"", bytes(signature))
    assert (error.code, error.got) == ("signature.malformed", f"{public} and {signature} bytes")


def test_a_key_that_is_no_point() -> None:
    assert refusal(b"\x02" + bytes(31), KIND, b"", bytes(64)).code == "signature.invalid"
