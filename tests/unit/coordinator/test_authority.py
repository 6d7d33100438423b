from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from sealane.coordinator.authority import Authority, certified_hosts
from sealane.core.secret import Secret
from sealane.errors import InputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make(NOW)


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def test_the_authority_signs_leaves_only_for_ten_years(authority: Authority) -> None:
    certificate = authority.certificate
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3650)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature


def test_a_party_can_call_but_not_serve(authority: Authority, key: ec.EllipticCurvePublicKey) -> None:
    leaf = authority.issue_party(key, name="north", role="node", now=NOW)
    leaf.verify_directly_issued_by(authority.certificate)
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["sealane://node/north"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.not_valid_after_utc == NOW + timedelta(days=90)


def test_a_server_is_for_its_hosts_and_cannot_call(authority: Authority, key: ec.EllipticCurvePublicKey) -> None:
    leaf = authority.issue_server(key, hosts=["localhost", "127.0.0.1", "[::1]", "localhost"], now=NOW)
    assert certified_hosts(leaf.public_bytes(Encoding.PEM)) == [
        x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_no_leaf_outlives_the_authority(authority: Authority, key: ec.EllipticCurvePublicKey) -> None:
    late = NOW + timedelta(days=3640)
    leaf = authority.issue_party(key, name="north", role="node", now=late)
    assert leaf.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_serials_do_not_repeat(authority: Authority, key: ec.EllipticCurvePublicKey) -> None:
    serials = {authority.issue_party(key, name="n", role="node", now=NOW).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert min(serials) > 0


def test_it_loads_from_its_files_and_refuses_files_that_do_not_match(authority: Authority) -> None:
    again = Authority.load(authority.pem, authority.key_pem())
    assert again.pem == authority.pem
    with pytest.raises(InputError) as caught:
        Authority.load(authority.pem, Authority.make(NOW).key_pem())
    assert caught.value.code == "authority.mismatch"
    with pytest.raises(InputError) as caught:
        Authority.load(authority.pem, Secret(b"-----BEGIN"))
    assert caught.value.code == "authority.malformed"


def test_its_repr_holds_no_key(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority)
    assert "PRIVATE" not in repr(authority.key_pem())
