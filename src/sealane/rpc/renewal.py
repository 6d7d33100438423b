"""A certificate renews itself: a new key, the same name, asked for over the connection that the old one opens."""

from __future__ import annotations

import grpc.aio
from cryptography.hazmat.primitives.serialization import Encoding

from sealane.api.enrolment.v1.enrolment_pb2 import RenewRequest, RenewResponse
from sealane.api.enrolment.v1.enrolment_pb2_grpc import RenewalServiceStub
from sealane.core.clock import Clock, system_clock
from sealane.rpc.certificates import certificate_request, check_issued, needs_renewal, new_tls_key, read_chain
from sealane.rpc.identity import Identity
from sealane.rpc.proofs import RENEWAL_KIND, renewal_body
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import MAX_ENROLMENT_BYTES, TlsFiles, secure_channel

__all__ = ["needs_renewal", "renew"]

DEADLINE_SECONDS = 20.0


async def renew(identity: Identity, *, clock: Clock = system_clock, timeout: float = DEADLINE_SECONDS) -> Identity:
    """Get a new certificate for a new TLS key and write both; the signing and sealing keys stay.

    Until the new pair is on disk the old one stays in place and valid, so that a lost reply costs nothing.

    Raises:
        RefusedError: the own certificate has lapsed, or the coordinator no longer knows this party.
        ProtocolError: the answer is for another key or party.
        UnavailableError: the coordinator cannot be reached, or the disk is full.
    """
    present = identity.certificate
    present.check_time(clock())
    key = new_tls_key()
    request = certificate_request(key, identity.name)
    body = renewal_body(request, present.serial, identity.coordinator_fingerprint)
    message = RenewRequest(certificate_request=request, proof=identity.signing_key.sign(RENEWAL_KIND, body))
    address = identity.coordinator_address
    async with secure_channel(address, identity.tls.ca, identity.tls, largest=MAX_ENROLMENT_BYTES) as channel:
        stub = RenewalServiceStub(channel)
        try:
            response: RenewResponse = await stub.Renew(message, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, address) from None
    chain = read_chain(list(response.certificate_chain))
    check_issued(chain[0], identity.tls.ca, key, name=identity.name, role=identity.role, now=clock())
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain)
    return identity.with_tls(TlsFiles(identity.tls.ca, pem, key))
