"""X25519 against the vectors of RFC 7748, every point of low order, and ML-KEM as its other half."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from reference import hkdf

from sealane.core.secret import Secret
from sealane.crypto.agreement import CIPHERTEXT_BYTES, PUBLIC_KEY_BYTES, AgreementKey
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
INTRODUCED = Secret(b"i" * 32)
KEM_KEY = AgreementKey(Secret(b"k" * 32)).public_key[32:]


def key(text: str) -> AgreementKey:
    """A key whose scalar is that of a vector, which no seed is known for."""
    made = AgreementKey(Secret(bytes.fromhex(text)))
    made._point_key = X25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    made.public_key = made._point_key.public_key().public_bytes_raw() + made.public_key[32:]
    return made


def combined(point: str, introduced: Secret, *keys: bytes) -> bytes:
    """The secret of a pair from its two halves, by the second writing of HKDF."""
    return hkdf(bytes.fromhex(point) + introduced.reveal(), "pair secret", *sorted(keys))


@pytest.mark.parametrize(("scalar", "point", "output"), VECTORS)
def test_the_function_of_the_rfc(scalar: str, point: str, output: str) -> None:
    own, peer = key(scalar), bytes.fromhex(point) + KEM_KEY
    assert own.shared(peer, INTRODUCED).reveal() == combined(output, INTRODUCED, own.public_key, peer)


def test_the_key_agreement_of_the_rfc() -> None:
    alice, bob = key(ALICE[0]), key(BOB[0])
    assert (alice.public_key[:32].hex(), bob.public_key[:32].hex()) == (ALICE[1], BOB[1])
    ciphertext, introduced = alice.introduce(bob.public_key)
    wanted = combined(SHARED, introduced, alice.public_key, bob.public_key)
    assert alice.shared(bob.public_key, introduced).reveal() == wanted
    assert bob.shared(alice.public_key, bob.accept(ciphertext)).reveal() == wanted


def test_either_half_alone_gives_another_secret() -> None:
    alice, bob, eve = key(ALICE[0]), key(BOB[0]), key(VECTORS[0][0])
    ciphertext, introduced = alice.introduce(bob.public_key)
    pair = alice.shared(bob.public_key, introduced)
    # Who reads X25519 but not ML-KEM, and who has the encapsulated secret but not the point.
    assert alice.shared(bob.public_key, eve.accept(ciphertext)) != pair
    assert eve.shared(bob.public_key, introduced) != pair


def test_neither_private_key_gives_the_seed_or_the_other() -> None:
    """Who finds the scalar of a recorded point would else make the ML-KEM key from it, and what was encapsulated."""
    seed = bytes.fromhex(ALICE[0])
    own = AgreementKey(Secret(seed))
    assert own._point_key.private_bytes_raw() == hkdf(seed, "x25519 seed")
    assert own._kem_key.private_bytes_raw() == hkdf(seed, "ml-kem seed", b"d") + hkdf(seed, "ml-kem seed", b"z")
    clamped = bytearray(own._point_key.private_bytes_raw())
    clamped[0], clamped[31] = clamped[0] & 248, clamped[31] & 127 | 64  # RFC 7748, section 5: what a logarithm gives
    for low, high in itertools.product(range(8), (0, 64, 128, 192)):
        guess = bytes([clamped[0] | low, *clamped[1:31], clamped[31] & 63 | high])
        assert AgreementKey(Secret(guess)).public_key[32:] != own.public_key[32:]


def test_introductions_are_fresh_and_only_for_their_receiver() -> None:
    alice, bob, eve = key(ALICE[0]), key(BOB[0]), key(VECTORS[0][0])
    (first, one), (second, two) = alice.introduce(bob.public_key), alice.introduce(bob.public_key)
    assert len(first) == len(second) == CIPHERTEXT_BYTES
    assert first != second
    assert one != two
    assert bob.accept(first) == one
    assert eve.accept(first) != one
    assert bob.accept(bytes([first[0] ^ 1]) + first[1:]) != one  # implicit rejection, FIPS 203, algorithm 18


def test_a_key_from_a_seed_is_always_the_same_and_well_formed() -> None:
    assert AgreementKey(Secret(b"k" * 32)).public_key[32:] == KEM_KEY
    assert len(key(ALICE[0]).public_key) == PUBLIC_KEY_BYTES
    assert MLKEM768PublicKey.from_public_bytes(KEM_KEY).public_bytes_raw() == KEM_KEY
    assert key(ALICE[0]).public_key[32:] != key(BOB[0]).public_key[32:]


@pytest.mark.parametrize("high_bit", [0, 0x80])
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_point_of_low_order_is_refused(point: bytes, high_bit: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).shared(point[:31] + bytes([point[31] | high_bit]) + KEM_KEY, INTRODUCED)
    assert caught.value.code == "agreement.bad-key"
    assert "not of low order" in caught.value.expected


@pytest.mark.parametrize("length", [0, 32, PUBLIC_KEY_BYTES - 1, PUBLIC_KEY_BYTES + 1])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).shared(b"\x09" * length, INTRODUCED)
    assert (caught.value.code, caught.value.got) == ("agreement.bad-key", f"{length} bytes")


def test_a_kem_key_whose_coefficients_are_beyond_the_modulus_is_refused() -> None:
    """FIPS 203, section 7.2: an encapsulation key must be the encoding of what it decodes to."""
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).introduce(bytes.fromhex(BOB[1]) + b"\xff" * 1184)
    assert caught.value.code == "agreement.bad-key"


@pytest.mark.parametrize("length", [0, CIPHERTEXT_BYTES - 1, CIPHERTEXT_BYTES + 1])
def test_a_ciphertext_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        key(ALICE[0]).accept(bytes(length))
    assert (caught.value.code, caught.value.got) == ("agreement.bad-ciphertext", f"{length} bytes")
