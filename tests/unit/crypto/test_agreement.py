"""X25519 against the vectors of RFC 7748, and every point of low order."""

from __future__ import annotations

import pytest

from sealane.core.secret import Secret
from sealane.crypto.agreement import AgreementKey
from sealane.errors import ProtocolError

P = 2**255 - 19
# RFC 7748, section 5.2: scalar, u-coordinate, output.
VECTORS = [
    ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
    ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
]
# RFC 7748, section 6.1.
ALICE = ("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
BOB = ("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
       "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
# Points of order 1, 2, 4 and 8, on the curve and its twist, with their spellings beyond p.
LOW_ORDER = [value.to_bytes(32, "little") for value in (0, 1, P - 1, P, P + 1)] + [bytes.fromhex(text) for text in (
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]


def key(text: str) -> AgreementKey:
    return AgreementKey(Secret(bytes.fromhex(text)))


@pytest.mark.parametrize(("scalar", "point", "output"), VECTORS)
def test_the_function_of_the_rfc(scalar: str, point: str, output: str) -> None:
    assert key(scalar).shared(bytes.fromhex(point)).reveal().hex() == output


def test_the_key_agreement_of_the_rfc() -> None:
    alice, bob = key(ALICE[0]), key(BOB[0])
    assert (alice.public_key.hex(), bob.public_key.hex()) == (ALICE[1], BOB[1])
    assert alice.shared(bob.public_key).reveal().hex() == SHARED
    assert bob.shared(alice.public_key) == alice.shared(bob.public_key)


@pytest.mark.parametrize("high_bit", [0, 0x80])
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_point_of_low_order_is_refused(point: bytes, high_bit: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).shared(point[:31] + bytes([point[31] | high_bit]))
    assert caught.value.code == "agreement.bad-key"
    assert caught.value.expected == "a 32-byte point, not of low order"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).shared(b"\x09" * length)
    assert (caught.value.code, caught.value.got) == ("agreement.bad-key", f"{length} bytes")
