"""Sealing: to a peer under a key of one use, to a recipient by RFC 9180, and nothing else opens it."""

from __future__ import annotations

import hmac_kdf
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealane.core.secret import Secret
from sealane.crypto.sealing import OVERHEAD_BYTES, seal, seal_to, sealing_public_key, unseal, unseal_own
from sealane.errors import ProtocolError

KEY = Secret(b"k" * 32)
SEED = Secret(b"s" * 32)
# RFC 9180, appendix A.1.1 (base mode, AES-128-GCM).
INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
ENCAPSULATED = "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
RECIPIENT = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"


def refused_by_peer(key: Secret, sealed: bytes, associated: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        unseal(key, sealed, associated)
    return caught.value.code


def refused_by_recipient(seed: Secret, sealed: bytes, info: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        unseal_own(seed, sealed, info)
    return caught.value.code


def changed(sealed: bytes) -> list[bytes]:
    flipped = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1:] for at in range(len(sealed))]
    return [*flipped, sealed[:-1], sealed[1:], sealed + b"\0", b"", sealed[:15], sealed[:-16]]


@pytest.mark.parametrize("plaintext", [b"", b"share", bytes(100_000)], ids=len)
def test_a_peer_opens_what_was_sealed(plaintext: bytes) -> None:
    sealed = seal(KEY, plaintext, b"digest")
    assert len(sealed) == len(plaintext) + OVERHEAD_BYTES
    assert unseal(KEY, sealed, b"digest") == plaintext
    assert AESGCM(KEY.reveal()).decrypt(bytes(12), sealed, b"digest") == plaintext


def test_no_other_key_or_associated_data_opens_it() -> None:
    sealed = seal(KEY, b"share", b"digest")
    assert refused_by_peer(Secret(b"K" * 32), sealed, b"digest") == "sealing.invalid"
    assert refused_by_peer(KEY, sealed, b"Digest") == "sealing.invalid"
    assert refused_by_peer(KEY, sealed, b"") == "sealing.invalid"
    assert refused_by_peer(Secret(b"k" * 31), sealed, b"digest") == "sealing.invalid"


def test_every_byte_counts() -> None:
    for bad in changed(seal(KEY, b"share", b"digest")):
        assert refused_by_peer(KEY, bad, b"digest") == "sealing.invalid"
    for bad in changed(seal_to(sealing_public_key(SEED), b"result", b"run")):
        assert refused_by_recipient(SEED, bad, b"run") == "sealing.invalid"


def test_the_reference_fits_the_rfc() -> None:
    own = X25519PrivateKey.from_private_bytes(bytes.fromhex(RECIPIENT))
    both = bytes.fromhex(ENCAPSULATED) + own.public_key().public_bytes_raw()
    key, nonce = hmac_kdf.key_schedule(own, bytes.fromhex(ENCAPSULATED), both, INFO, aead=1)
    assert (key.hex(), nonce.hex()) == ("4531685d41d65f03dc48f6b8302c05b0", "56d890e5accaaf011cff4b7d")


@pytest.mark.parametrize("plaintext", [b"", b"result", bytes(100_000)], ids=len)
def test_results_are_sealed_as_rfc_9180_says(plaintext: bytes) -> None:
    public = sealing_public_key(SEED)
    ours = seal_to(public, plaintext, b"run")
    assert hmac_kdf.hpke_open(SEED.reveal(), ours, b"run") == plaintext
    assert unseal_own(SEED, ours, b"run") == plaintext
    theirs = hmac_kdf.hpke_seal(b"e" * 32, public, plaintext, b"run")
    assert unseal_own(SEED, theirs, b"run") == plaintext
    assert len(ours) == len(theirs) == 32 + len(plaintext) + OVERHEAD_BYTES


def test_each_sealing_is_fresh() -> None:
    public = sealing_public_key(SEED)
    assert len({seal_to(public, b"result", b"run")[:32] for _ in range(20)}) == 20


def test_no_other_recipient_or_info_opens_it() -> None:
    sealed = seal_to(sealing_public_key(SEED), b"result", b"run")
    assert refused_by_recipient(Secret(b"S" * 32), sealed, b"run") == "sealing.invalid"
    assert refused_by_recipient(SEED, sealed, b"other run") == "sealing.invalid"


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32), b"\x01" + bytes(31)])
def test_a_recipient_with_an_unusable_key(key: bytes) -> None:
    """Of another length, or a point of low order, whose sealed result anyone could open."""
    with pytest.raises(ProtocolError) as caught:
        seal_to(key, b"result", b"run")
    assert (caught.value.code, caught.value.got) == ("sealing.bad-key", f"{len(key)} bytes")
