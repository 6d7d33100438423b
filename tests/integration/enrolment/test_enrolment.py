"""Joining and being refused, over real connections."""

from __future__ import annotations

import asyncio
import logging
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from sealane.api.enrolment.v1.enrolment_pb2 import EnrolRequest, EnrolResponse
from sealane.api.enrolment.v1.enrolment_pb2_grpc import EnrolmentServiceStub
from sealane.core.clock import ManualClock
from sealane.core.entropy import random_secret
from sealane.core.ids import fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc import enrolment as joining
from sealane.rpc.certificates import certificate_request, new_tls_key
from sealane.rpc.enrolment import PENDING, enrol
from sealane.rpc.identity import load_identity
from sealane.rpc.invitation import Invitation
from sealane.rpc.proofs import ENROLMENT_KIND, enrolment_body
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import secure_channel


async def refused(invitation: Invitation | str, home: Path, **named: Any) -> SealaneError:
    text = invitation if isinstance(invitation, str) else invitation.to_text()
    with pytest.raises(SealaneError) as caught:
        await enrol(text, home, **named)
    assert not (home / "identity").exists() or caught.value.code == "identity.exists"
    return caught.value


def request(invitation: Invitation, **changes: Any) -> EnrolRequest:
    """Build a request by hand; changes are applied after the proof was made."""
    signing = SigningKey(random_secret())
    der = certificate_request(new_tls_key(), "x")
    token, sealing = invitation.token.reveal(), bytes(range(32))
    body = enrolment_body(token, der, signing.public_key, sealing, invitation.coordinator)
    built = EnrolRequest(token=token, certificate_request=der, signing_key=signing.public_key, sealing_key=sealing,
                         proof=signing.sign(ENROLMENT_KIND, body))
    for field, value in changes.items():
        setattr(built, field, value)
    return built


async def send(invitation: Invitation, message: EnrolRequest) -> EnrolResponse | SealaneError:
    async with secure_channel(invitation.enrolment_address, invitation.ca.encode()) as channel:
        try:
            answer: EnrolResponse = await EnrolmentServiceStub(channel).Enrol(message, timeout=10)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        return answer


async def test_an_invitation_becomes_an_identity(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    identity = await enrol(invitation.to_text(), tmp_path / "north", name="north")
    party = coordinator.home.registry.get("north")
    assert (identity.name, identity.role) == (party.name, party.role) == ("north", "node")
    assert identity.fingerprint == party.fingerprint == fingerprint(party.signing_key)
    assert identity.sealing_key == party.sealing_key
    assert identity.certificate.serial == party.certificate_serial
    assert identity.coordinator_fingerprint == coordinator.home.signing_key.fingerprint
    assert identity.coordinator_address == f"127.0.0.1:{coordinator.main_port}"
    assert identity.certificate.not_after == coordinator.clock() + timedelta(days=90)
    loaded = load_identity(tmp_path / "north")
    assert (loaded.fingerprint, loaded.tls, loaded.sealing_seed) == (identity.fingerprint, identity.tls,
                                                                     identity.sealing_seed)


async def test_analysts_and_auditors_enrol_alike(coordinator: Any, tmp_path: Path) -> None:
    for role in ("analyst", "auditor"):
        identity = await enrol(coordinator.home.invite(role, role).to_text(), tmp_path / role)
        assert identity.role == role
        assert [party.name for party in coordinator.home.registry.by_role(role)] == [role]


async def test_keys_stay_home_and_are_their_owners_alone(coordinator: Any, tmp_path: Path) -> None:
    home = tmp_path / "north"
    await enrol(coordinator.home.invite("north").to_text(), home)
    assert sorted(path.name for path in (home / "identity").iterdir()) == [
        "ca.pem", "identity.json", "sealing.key", "signing.key", "tls.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home / "identity").iterdir()} == {0o600}
    assert stat.S_IMODE((home / "identity").stat().st_mode) == 0o700
    seeds = [(home / "identity" / name).read_bytes() for name in ("signing.key", "sealing.key")]
    coordinator.home.engine.dispose()
    theirs = b"".join(path.read_bytes() for path in coordinator.home.home.rglob("*") if path.is_file())
    assert not any(seed in theirs or seed.hex().encode() in theirs for seed in seeds)


async def test_a_spent_token_is_refused_from_another_home(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    first = await enrol(invitation.to_text(), tmp_path / "first")
    error = await refused(invitation, tmp_path / "second")
    assert (type(error), error.code) == (RefusedError, "auth.token-used")
    assert coordinator.home.registry.get("north").fingerprint == first.fingerprint


async def test_the_very_same_request_gets_the_very_same_certificate(coordinator: Any) -> None:
    invitation = coordinator.home.invite("north")
    message = request(invitation)
    first, second = await send(invitation, message), await send(invitation, message)
    assert isinstance(first, EnrolResponse)
    assert first == second
    other = await send(invitation, request(invitation))
    assert isinstance(other, RefusedError)
    assert other.code == "auth.token-used"
    coordinator.clock.advance(timedelta(hours=24))
    late = await send(invitation, message)
    assert isinstance(late, RefusedError)
    assert late.code == "auth.token-expired"


async def test_one_token_admits_one_of_many_at_once(coordinator: Any) -> None:
    invitation = coordinator.home.invite("north")
    answers = await asyncio.gather(*(send(invitation, request(invitation)) for _ in range(8)))
    assert sum(isinstance(one, EnrolResponse) for one in answers) == 1
    assert {one.code for one in answers if isinstance(one, SealaneError)} == {"auth.token-used"}


async def test_a_lost_reply_is_asked_for_again_with_the_same_keys(coordinator: Any, tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    invitation, home = coordinator.home.invite("north"), tmp_path / "north"

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(joining, "_finish", die)
        with pytest.raises(KeyboardInterrupt):
            await enrol(invitation.to_text(), home)
    admitted = coordinator.home.registry.get("north")
    assert (home / PENDING).is_dir()
    identity = await enrol(invitation.to_text(), home)
    assert identity.fingerprint == admitted.fingerprint
    assert identity.certificate.serial == admitted.certificate_serial
    assert not (home / PENDING).exists()


async def test_keys_of_a_try_with_another_invitation_are_not_reused(coordinator: Any, tmp_path: Path) -> None:
    home = tmp_path / "north"
    older = coordinator.home.invite("north")
    newer = coordinator.home.invite("north")
    assert (await refused(older, home)).code == "auth.token-unknown"
    before = (home / PENDING / "signing.key").read_bytes()
    await enrol(newer.to_text(), home)
    assert (home / "identity" / "signing.key").read_bytes() != before


async def test_wrong_and_expired_tokens(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    wrong = replace(invitation, token=Secret(bytes(32)))
    error = await refused(wrong, tmp_path / "a")
    assert (type(error), error.code) == (RefusedError, "auth.token-unknown")
    assert error.hint
    coordinator.clock.advance(timedelta(hours=24))
    error = await refused(invitation, tmp_path / "b")
    assert (type(error), error.code) == (RefusedError, "auth.token-expired")
    assert coordinator.home.registry.all() == []


async def test_guesses_are_limited_and_the_right_token_waits_too(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    codes = []
    for _ in range(12):
        answer = await send(invitation, request(replace(invitation, token=random_secret())))
        assert isinstance(answer, SealaneError)
        codes.append(answer.code)
    assert codes == ["auth.token-unknown"] * 10 + ["enrolment.rate-limited"] * 2
    assert isinstance(await refused(invitation, tmp_path / "north"), UnavailableError)
    coordinator.clock.advance(timedelta(minutes=10))
    assert (await enrol(invitation.to_text(), tmp_path / "north", clock=coordinator.clock)).name == "north"


async def test_a_newcomer_whose_clock_is_behind_is_told_and_may_try_again(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    behind = ManualClock(coordinator.clock() - timedelta(minutes=10))
    assert (await refused(invitation, tmp_path / "north", clock=behind)).code == "auth.certificate-not-yet"
    assert (await enrol(invitation.to_text(), tmp_path / "north", clock=coordinator.clock)).name == "north"


async def test_another_coordinators_authority_is_refused_before_the_token_is_sent(
        coordinator: Any, other_coordinator: Any, tmp_path: Path) -> None:
    invitation = replace(coordinator.home.invite("north"), ca=other_coordinator.home.authority.pem.decode())
    error = await refused(invitation, tmp_path / "north")
    assert (type(error), error.code) == (RefusedError, "tls.certificate-authority")
    assert await enrol(replace(invitation, ca=coordinator.home.authority.pem.decode()).to_text(), tmp_path / "north")


async def test_a_coordinator_with_another_key_than_invited_is_refused(coordinator: Any, other_coordinator: Any,
                                                                      tmp_path: Path) -> None:
    """The proof binds the invited fingerprint, so a coordinator that is another cannot even admit."""
    invitation = replace(coordinator.home.invite("north"), coordinator=other_coordinator.home.signing_key.fingerprint)
    error = await refused(invitation, tmp_path / "north")
    assert (type(error), error.code) == (ProtocolError, "signature.invalid")
    assert coordinator.home.registry.all() == []


@pytest.mark.parametrize(("field", "value", "code"), [
    ("proof", bytes(64), "signature.invalid"),
    ("proof", b"", "enrolment.malformed"),
    ("sealing_key", bytes(32), "signature.invalid"),
    ("signing_key", bytes(31), "enrolment.malformed"),
    ("token", bytes(33), "enrolment.malformed"),
    ("certificate_request", b"x", "enrolment.malformed-request"),
    ("certificate_request", bytes(5000), "enrolment.request-too-large"),
])
async def test_a_malformed_request_spends_nothing(coordinator: Any, tmp_path: Path, field: str, value: bytes,
                                                  code: str) -> None:
    invitation = coordinator.home.invite("north")
    answer = await send(invitation, request(invitation, **{field: value}))
    assert isinstance(answer, (InputError, ProtocolError))
    assert answer.code == code
    assert (await enrol(invitation.to_text(), tmp_path / "north")).name == "north"


async def test_a_message_over_the_limit_of_the_port(coordinator: Any) -> None:
    invitation = coordinator.home.invite("north")
    answer = await send(invitation, request(invitation, certificate_request=bytes(70_000)))
    assert isinstance(answer, InputError)
    assert answer.code == "rpc.message-too-large"


@pytest.mark.parametrize(("change", "code"), [
    ({"name": "south"}, "enrolment.other-party"),
    ({"role": "analyst"}, "enrolment.other-party"),
    ({"coordinator_signing_key": bytes(32)}, "enrolment.other-coordinator"),
    ({"certificate_chain": []}, "enrolment.malformed-chain"),
    ({"coordinator_address": "nowhere"}, "address.malformed"),
])
async def test_an_answer_that_is_not_what_was_promised(coordinator: Any, tmp_path: Path, change: dict[str, Any],
                                                       code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = joining._call

    async def lie(*arguments: Any) -> EnrolResponse:
        answer = await real(*arguments)
        fields = {one.name: getattr(answer, one.name) for one in EnrolResponse.DESCRIPTOR.fields}
        return EnrolResponse(**{**fields, **change})

    invitation = coordinator.home.invite("north")
    with monkeypatch.context() as patch:
        patch.setattr(joining, "_call", lie)
        assert (await refused(invitation, tmp_path / "north")).code == code
    assert (await enrol(invitation.to_text(), tmp_path / "north")).name == "north"


async def test_what_is_refused_before_any_call(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    assert (await refused(invitation, tmp_path / "a", name="south")).code == "invitation.other-name"
    assert (await refused("sealane-invite:v1:AAAA", tmp_path / "a")).code == "invitation.malformed"
    assert not (tmp_path / "a").exists()
    await enrol(invitation.to_text(), tmp_path / "b")
    assert (await refused(coordinator.home.invite("south"), tmp_path / "b")).code == "identity.exists"


async def test_nobody_listens(coordinator: Any, tmp_path: Path) -> None:
    invitation = coordinator.home.invite("north")
    await coordinator.enrolment.stop(None)
    error = await refused(invitation, tmp_path / "north")
    assert (type(error), error.code) == (UnavailableError, "rpc.unreachable")
    assert invitation.enrolment_address in str(error.hint)


async def test_neither_token_nor_keys_are_logged(coordinator: Any, tmp_path: Path,
                                                 caplog: pytest.LogCaptureFixture) -> None:
    invitation = coordinator.home.invite("north")
    with caplog.at_level(logging.DEBUG):
        await enrol(invitation.to_text(), tmp_path / "north")
        await send(invitation, request(invitation))
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "enrolment.admitted" in logged
    assert "enrolment.refused" in logged
    identity = tmp_path / "north" / "identity"
    for secret in (invitation.token.reveal(), (identity / "signing.key").read_bytes(),
                   (identity / "sealing.key").read_bytes()):
        assert secret.hex() not in logged
        assert repr(secret)[2:-1] not in logged
    assert "PRIVATE KEY" not in logged
