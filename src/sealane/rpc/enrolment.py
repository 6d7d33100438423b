"""Joining: from an invitation to an identity.

The keys and the certificate request are written before the token is spent. If the reply is lost or the process dies,
the same invitation picks up the same keys and request, and the coordinator answers the same certificate. The identity
appears under its final name only when it is complete.
"""

from __future__ import annotations

from pathlib import Path

import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from sealane.api.enrolment.v1.enrolment_pb2 import EnrolRequest, EnrolResponse
from sealane.api.enrolment.v1.enrolment_pb2_grpc import EnrolmentServiceStub
from sealane.core.clock import Clock, system_clock
from sealane.core.entropy import random_secret
from sealane.core.handles import sync_directory
from sealane.core.ids import fingerprint
from sealane.core.secret import Secret
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.rpc.certificates import certificate_request, check_issued, new_tls_key, read_chain
from sealane.rpc.identity import DIRECTORY, Identity, PublicPart, load_identity, read_seed, write_public, write_tls
from sealane.rpc.invitation import Invitation, check_address, parse_invitation
from sealane.rpc.keyfiles import make_private_directory, read_private, write_private
from sealane.rpc.proofs import ENROLMENT_KIND, enrolment_body, token_hash
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import MAX_ENROLMENT_BYTES, TlsFiles, secure_channel

PENDING = "identity.pending"
DEADLINE_SECONDS = 20.0


async def enrol(invitation_text: str, home: Path, *, name: str | None = None, clock: Clock = system_clock,
                timeout: float = DEADLINE_SECONDS) -> Identity:
    """Make this party's keys in ``home`` and get its certificate from the coordinator that sent the invitation.

    Args:
        invitation_text: the line that ``sealane coordinator invite`` printed.
        home: directory for the identity; made if missing.
        name: if given, must be the name in the invitation.
        clock: for the certificate's life.
        timeout: seconds for the call.

    Raises:
        InputError: the invitation is malformed or for another name.
        RefusedError: there is an identity already, or the coordinator does not take the token.
        ProtocolError: the coordinator's answer is not what the invitation promised.
        UnavailableError: the coordinator cannot be reached; the same command may be repeated.
    """
    invitation = parse_invitation(invitation_text)
    if name is not None and name != invitation.name:
        raise InputError("invitation.other-name", "the invitation is for another name", got=name,
                         expected=invitation.name)
    if (home / DIRECTORY).exists():
        raise RefusedError("identity.exists", f"{home} holds an identity already",
                           hint="use another --home, or take the old identity away after a backup")
    make_private_directory(home)
    keys = _pending_keys(home / PENDING, invitation)
    response = await _call(invitation, keys, timeout)
    _finish(home, invitation, keys, response, clock)
    return load_identity(home)


class _Keys:
    """What lies in ``identity.pending``: three private keys and the request that goes with them."""

    def __init__(self, directory: Path) -> None:
        self.signing = SigningKey(read_seed(directory / "signing.key"))
        self.sealing_seed = read_seed(directory / "sealing.key")
        self.tls = Secret(read_private(directory / "tls.key"))
        self.request = read_private(directory / "request.der")


def _pending_keys(directory: Path, invitation: Invitation) -> _Keys:
    """Read the keys of an earlier try with the same invitation, or make new ones; durable before they are used."""
    mark = directory / "invitation"
    named = token_hash(invitation.token.reveal()).hex().encode("ascii")
    make_private_directory(directory)
    if mark.exists() and read_private(mark) == named:
        return _Keys(directory)
    mark.unlink(missing_ok=True)
    tls_key = new_tls_key()
    write_private(directory / "signing.key", random_secret(32).reveal())
    write_private(directory / "sealing.key", random_secret(32).reveal())
    write_private(directory / "tls.key", tls_key.reveal())
    write_private(directory / "request.der", certificate_request(tls_key, invitation.name))
    write_private(mark, named)  # last: its presence says that the rest is there
    return _Keys(directory)


async def _call(invitation: Invitation, keys: _Keys, timeout: float) -> EnrolResponse:
    token = invitation.token.reveal()
    sealing_key = sealing_public_key(keys.sealing_seed)
    body = enrolment_body(token, keys.request, keys.signing.public_key, sealing_key, invitation.coordinator)
    request = EnrolRequest(token=token, certificate_request=keys.request, signing_key=keys.signing.public_key,
                           sealing_key=sealing_key, proof=keys.signing.sign(ENROLMENT_KIND, body))
    address = invitation.enrolment_address
    async with secure_channel(address, invitation.ca.encode("ascii"), largest=MAX_ENROLMENT_BYTES) as channel:
        stub = EnrolmentServiceStub(channel)
        try:
            response: EnrolResponse = await stub.Enrol(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, address) from None  # gRPC's own text would bury ours
    return response


def _finish(home: Path, invitation: Invitation, keys: _Keys, response: EnrolResponse, clock: Clock) -> None:
    """Check the answer against the invitation, write the identity and give it its final name."""
    if (response.name, response.role) != (invitation.name, invitation.role):
        raise ProtocolError("enrolment.other-party", "the coordinator answered for another party than it invited",
                            got=f"{response.role[:40]!r} {response.name[:80]!r}",
                            expected=f"{invitation.role} {invitation.name}")
    coordinator = bytes(response.coordinator_signing_key)
    if fingerprint(coordinator) != invitation.coordinator:
        raise ProtocolError("enrolment.other-coordinator", "the coordinator's key is not the one in the invitation",
                            got=fingerprint(coordinator), expected=invitation.coordinator,
                            hint="ask the coordinator's operator to confirm the fingerprint by another way")
    chain = read_chain(list(response.certificate_chain))
    check_issued(chain[0], invitation.ca.encode("ascii"), keys.tls, name=invitation.name, role=invitation.role,
                 now=clock())
    pending = home / PENDING
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    write_tls(pending, TlsFiles(invitation.ca.encode("ascii"), pem, keys.tls))
    write_public(pending, PublicPart(
        name=invitation.name, role=invitation.role, coordinator_address=check_address(response.coordinator_address),
        coordinator_key=coordinator.hex(), coordinator_fingerprint=invitation.coordinator))
    pending.rename(home / DIRECTORY)  # until here, everything a repetition needs is still in place
    sync_directory(home)
    for spent in ("invitation", "request.der", "tls.key"):
        (home / DIRECTORY / spent).unlink(missing_ok=True)
