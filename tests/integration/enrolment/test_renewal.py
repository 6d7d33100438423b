"""Renewing over the main port, and being refused there once removed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from sealane.api.enrolment.v1.enrolment_pb2 import RenewRequest
from sealane.api.enrolment.v1.enrolment_pb2_grpc import RenewalServiceStub
from sealane.core.clock import ManualClock
from sealane.core.entropy import random_secret
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError, SealaneError
from sealane.rpc.certificates import certificate_request, new_tls_key
from sealane.rpc.enrolment import enrol
from sealane.rpc.identity import Identity, load_identity
from sealane.rpc.proofs import RENEWAL_KIND, renewal_body
from sealane.rpc.renewal import needs_renewal, renew
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import secure_channel


@pytest.fixture
async def identity(coordinator: Any, tmp_path: Path) -> Identity:
    return await enrol(coordinator.home.invite("north").to_text(), tmp_path / "north")


async def refused(identity: Identity, **named: Any) -> str:
    with pytest.raises(SealaneError) as caught:
        await renew(identity, **named)
    return caught.value.code


async def test_a_new_certificate_for_a_new_key_and_the_same_party(coordinator: Any, identity: Identity) -> None:
    clock = coordinator.clock
    clock.advance(timedelta(days=61))
    assert needs_renewal(identity.certificate, clock())
    # TLS reads the machine's clock, for which both certificates are valid; the new one may begin in its future.
    clock.advance(timedelta(days=-60))
    renewed = await renew(identity, clock=clock)
    assert renewed.certificate.serial != identity.certificate.serial
    assert renewed.tls.key != identity.tls.key
    assert renewed.fingerprint == identity.fingerprint
    assert coordinator.home.registry.get("north").certificate_serial == renewed.certificate.serial
    assert load_identity(identity.home).tls == renewed.tls
    assert not needs_renewal(renewed.certificate, clock())


async def test_the_old_certificate_serves_until_the_new_one_is_used(coordinator: Any, identity: Identity) -> None:
    lost = await renew(identity)  # as if the process died before the reply was written
    second = await renew(identity)
    third = await renew(second)
    assert await refused(lost) == "auth.not-registered"
    assert await refused(identity) == "auth.not-registered"
    assert (await renew(third)).name == "north"


async def test_a_removed_party_is_refused_with_a_valid_certificate(coordinator: Any, identity: Identity) -> None:
    coordinator.home.registry.quarantine("north")
    assert await refused(identity) == "auth.quarantined"
    coordinator.home.registry.reinstate("north")
    renewed = await renew(identity)
    coordinator.home.registry.remove("north")
    assert await refused(renewed) == "auth.not-registered"
    assert load_identity(identity.home).tls == renewed.tls


async def test_a_removed_partys_name_can_be_enrolled_afresh(coordinator: Any, identity: Identity,
                                                            tmp_path: Path) -> None:
    coordinator.home.registry.remove("north")
    again = await enrol(coordinator.home.invite("north").to_text(), tmp_path / "again")
    assert again.fingerprint != identity.fingerprint
    assert await refused(identity) == "auth.not-registered"
    assert (await renew(again)).name == "north"


async def test_a_lapsed_certificate_is_said_so_at_both_ends(coordinator: Any, identity: Identity) -> None:
    later = ManualClock(coordinator.clock() + timedelta(days=91))
    assert await refused(identity, clock=later) == "auth.certificate-expired"
    coordinator.home.registry.clock = later  # as on a connection that outlives its certificate
    assert await refused(identity) == "auth.certificate-expired"


async def test_another_coordinators_certificate_does_not_connect(coordinator: Any, other_coordinator: Any,
                                                                 identity: Identity, tmp_path: Path) -> None:
    stranger = await enrol(other_coordinator.home.invite("north").to_text(), tmp_path / "stranger")
    async with secure_channel(identity.coordinator_address, identity.tls.ca, stranger.tls) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await RenewalServiceStub(channel).Renew(RenewRequest(), timeout=5)
    assert from_rpc_error(caught.value).code == "rpc.closed"


async def test_the_tls_key_alone_does_not_renew(coordinator: Any, identity: Identity) -> None:
    request = certificate_request(new_tls_key(), "north")
    body = renewal_body(request, identity.certificate.serial, identity.coordinator_fingerprint)
    thief = SigningKey(random_secret())
    wrong_serial = renewal_body(request, "1", identity.coordinator_fingerprint)
    async with secure_channel(identity.coordinator_address, identity.tls.ca, identity.tls) as channel:
        stub = RenewalServiceStub(channel)
        for proof in (thief.sign(RENEWAL_KIND, body), identity.signing_key.sign(RENEWAL_KIND, wrong_serial),
                      identity.signing_key.sign("application/vnd.sealane.other+json", body)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Renew(RenewRequest(certificate_request=request, proof=proof), timeout=5)
            assert from_rpc_error(caught.value).code == "signature.invalid"


async def test_a_home_without_or_with_a_damaged_identity(identity: Identity, tmp_path: Path) -> None:
    with pytest.raises(SealaneError) as caught:
        load_identity(tmp_path)
    assert caught.value.code == "identity.missing"
    directory = identity.home / "identity"
    for name, data, code in (
        ("signing.key", b"short", "identity.malformed"),
        ("tls.pem", identity.tls.certificate, "identity.malformed"),
        ("identity.json", b'{"name":"north"}', "identity.malformed"),
        ("identity.json", (directory / "identity.json").read_bytes().replace(b"north", b"south"), "identity.mismatch"),
        ("tls.pem", identity.tls.certificate + new_tls_key().reveal(), "enrolment.other-key"),
    ):
        before = (directory / name).read_bytes()
        (directory / name).write_bytes(data)
        with pytest.raises(SealaneError) as caught:
            load_identity(identity.home)
        assert caught.value.code == code
        (directory / name).write_bytes(before)
    assert load_identity(identity.home).name == "north"
    (directory / "sealing.key").chmod(0o640)
    with pytest.raises(RefusedError, match=r"identity.open-permissions"):
        load_identity(identity.home)


async def test_an_identity_does_not_print_keys(identity: Identity) -> None:
    shown = repr(identity)
    assert "PRIVATE" not in shown
    assert repr(identity.sealing_seed.reveal())[2:-1] not in shown
