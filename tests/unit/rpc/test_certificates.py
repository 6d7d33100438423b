from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sealane.coordinator.authority import Authority
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.rpc.certificates import (
    certificate_request,
    check_issued,
    describe,
    needs_renewal,
    new_tls_key,
    read_chain,
    read_pem,
    requested_key,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make(NOW)


def issue(authority: Authority, key: Secret) -> x509.Certificate:
    return authority.issue_party(requested_key(certificate_request(key, "north")), name="north", role="node", now=NOW,
                                 life=90 * DAY)


def test_a_certificate_says_who_holds_it(authority: Authority) -> None:
    certificate = issue(authority, new_tls_key())
    seen = describe(certificate)
    assert (seen.name, seen.role) == ("north", "node")
    assert seen.serial == format(certificate.serial_number, "x")
    assert seen.fingerprint == certificate.fingerprint(SHA256()).hex()
    assert read_pem(certificate.public_bytes(Encoding.PEM)) == seen


def test_its_life_is_checked_at_both_ends(authority: Authority) -> None:
    seen = describe(issue(authority, new_tls_key()))
    seen.check_time(NOW)
    seen.check_time(NOW + 90 * DAY - timedelta(seconds=1))
    with pytest.raises(RefusedError) as caught:
        seen.check_time(NOW + 90 * DAY)
    assert caught.value.code == "auth.certificate-expired"
    assert "2026-05-30T12:00:00Z" in str(caught.value)
    with pytest.raises(RefusedError) as caught:
        seen.check_time(NOW - timedelta(minutes=6))
    assert caught.value.code == "auth.certificate-not-yet"


def test_renewal_is_due_at_two_thirds_of_life(authority: Authority) -> None:
    seen = describe(issue(authority, new_tls_key()))
    assert not needs_renewal(seen, NOW + 59 * DAY)
    assert needs_renewal(seen, NOW + 60 * DAY)


def self_signed(subject: list[x509.NameAttribute], uri: str | None) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (x509.CertificateBuilder().subject_name(x509.Name(subject)).issuer_name(x509.Name(subject))
               .public_key(key.public_key()).serial_number(7).not_valid_before(NOW).not_valid_after(NOW + DAY))
    if uri is not None:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, SHA256())


CN, OU = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME


@pytest.mark.parametrize(("subject", "uri"), [
    ([(CN, "north"), (OU, "node")], None),
    ([(CN, "north"), (OU, "node")], "sealane://node/south"),
    ([(CN, "north"), (OU, "node")], "sealane://analyst/north"),
    ([(CN, "north"), (OU, "king")], "sealane://king/north"),
    ([(CN, "North Bank")], "sealane://node/north"),
    ([(CN, "north"), (CN, "south"), (OU, "node")], "sealane://node/north"),
    ([(CN, "North"), (OU, "node")], "sealane://node/North"),
], ids=["no uri", "other name", "other role", "unknown role", "no role", "two names", "illegal name"])
def test_a_certificate_that_does_not_name_one_party_is_refused(subject: list[tuple[x509.ObjectIdentifier, str]],
                                                               uri: str | None) -> None:
    with pytest.raises(RefusedError) as caught:
        describe(self_signed([x509.NameAttribute(oid, text) for oid, text in subject], uri))
    assert caught.value.code == "auth.certificate-malformed"


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"x" * 40_000])
def test_what_is_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_pem(pem)
    assert caught.value.code == "auth.certificate-malformed"


def test_a_received_certificate_must_be_for_our_key_and_name_from_our_authority(authority: Authority) -> None:
    key = new_tls_key()
    leaf = issue(authority, key)
    check_issued(leaf, authority.pem, key, name="north", role="node", now=NOW)
    other = Authority.make(NOW)
    for arguments, code in (
        ((other.pem, key, "north", "node", NOW), "auth.wrong-authority"),
        ((authority.pem, new_tls_key(), "north", "node", NOW), "enrolment.other-key"),
        ((authority.pem, key, "south", "node", NOW), "enrolment.other-party"),
        ((authority.pem, key, "north", "analyst", NOW), "enrolment.other-party"),
        ((authority.pem, key, "north", "node", NOW + 91 * DAY), "auth.certificate-expired"),
        ((authority.pem, Secret(b"no key"), "north", "node", NOW), "identity.malformed-key"),
    ):
        ca, with_key, name, role, now = arguments
        with pytest.raises((ProtocolError, RefusedError, InputError)) as caught:
            check_issued(leaf, ca, with_key, name=name, role=role, now=now)
        assert caught.value.code == code


def request_for(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(CN, "x")])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256()).public_bytes(Encoding.DER)


def test_a_request_is_bounded_read_and_must_be_signed_by_its_own_p256_key() -> None:
    good = request_for(ec.generate_private_key(ec.SECP256R1()))
    assert requested_key(good).curve.name == "secp256r1"
    for der, code in (
        (b"\x30" * 5000, "enrolment.request-too-large"),
        (b"", "enrolment.malformed-request"),
        (good[:-20], "enrolment.malformed-request"),
        (request_for(ec.generate_private_key(ec.SECP384R1())), "enrolment.key-type"),
        (request_for(rsa.generate_private_key(65537, 2048)), "enrolment.key-type"),
        (good[:-1] + bytes([good[-1] ^ 1]), "enrolment.request-unsigned"),
    ):
        with pytest.raises(InputError) as caught:
            requested_key(der)
        assert caught.value.code == code


@pytest.mark.parametrize("chain", [[], [b"x"] * 5, [b"x" * 9000], [b"not a certificate"]])
def test_a_chain_from_a_peer_is_bounded_and_read(chain: list[bytes]) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_chain(chain)
    assert caught.value.code == "enrolment.malformed-chain"
