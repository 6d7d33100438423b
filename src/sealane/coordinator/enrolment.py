"""The two services that hand out certificates: enrolment to whoever holds a token, renewal to whoever is enrolled."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import timedelta
from typing import Any

import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sealane.api.enrolment.v1.enrolment_pb2 import EnrolRequest, EnrolResponse, RenewRequest, RenewResponse
from sealane.api.enrolment.v1.enrolment_pb2_grpc import EnrolmentServiceServicer, RenewalServiceServicer
from sealane.coordinator.authentication import admit_logged
from sealane.coordinator.authority import LEAF_LIFE, Authority
from sealane.coordinator.database import writing
from sealane.coordinator.invitations import Invitations
from sealane.coordinator.limiter import FailureLimiter
from sealane.coordinator.log import append
from sealane.coordinator.registry import Registry
from sealane.core.ids import fingerprint
from sealane.crypto.signing import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify
from sealane.errors import InputError, SealaneError, UnavailableError
from sealane.rpc.certificates import PARTY_ROLES, Certificate, describe, requested_key
from sealane.rpc.invitation import TOKEN_BYTES
from sealane.rpc.peer import authenticated_peer, source_address
from sealane.rpc.proofs import ENROLMENT_KIND, RENEWAL_KIND, enrolment_body, renewal_body
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
_Context = grpc.aio.ServicerContext[Any, Any]


class Enrolments:
    """Admits newcomers: checks token, request and proof, and issues, spends and registers in one transaction."""

    def __init__(self, authority: Authority, invitations: Invitations, registry: Registry, coordinator_key: bytes,
                 life: timedelta = LEAF_LIFE) -> None:
        self._authority = authority
        self._invitations = invitations
        self._registry = registry
        self._coordinator = fingerprint(coordinator_key)
        self._life = life

    def admit(self, request: EnrolRequest) -> x509.Certificate:
        """Return the certificate of the party that a request enrols.

        Raises:
            InputError: a field of the wrong size, or a malformed certificate request.
            RefusedError: the token or the name does not serve.
            ProtocolError: the proof does not verify.
        """
        _check_sizes(request)
        request_hash = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
        self._invitations.find(request.token, request_hash)  # a wrong token costs no more than this read
        key = requested_key(request.certificate_request)
        verify(request.signing_key, ENROLMENT_KIND, enrolment_body(
            request.token, request.certificate_request, request.signing_key, request.sealing_key, self._coordinator),
            request.proof)
        with writing(self._registry.engine) as connection:
            invited = self._invitations.find_within(connection, request.token, request_hash)
            if invited.answer is not None:
                return x509.load_der_x509_certificate(invited.answer)
            certificate = self._authority.issue_party(key, name=invited.name, role=invited.role,
                                                      now=self._registry.clock(), life=self._life)
            self._registry.add(connection, name=invited.name, role=invited.role, signing_key=request.signing_key,
                               sealing_key=request.sealing_key, certificate=describe(certificate))
            append(connection, self._registry.clock, "party.enrolled", invited.name,
                   fingerprint(request.signing_key), invited.role)
            self._invitations.spend(connection, invited, request_hash, certificate.public_bytes(Encoding.DER))
        return certificate

    def renew(self, presented: Certificate, request: RenewRequest) -> x509.Certificate:
        """Return a certificate for the new key of an enrolled party.

        Raises:
            RefusedError: the presented certificate is not accepted any more.
            InputError: the certificate request is malformed.
            ProtocolError: the proof is not by the party's enrolled signing key.
        """
        party = admit_logged(presented, self._registry, PARTY_ROLES)
        key = requested_key(request.certificate_request)
        verify(party.signing_key, RENEWAL_KIND,
               renewal_body(request.certificate_request, presented.serial, self._coordinator), request.proof)
        certificate = self._authority.issue_party(key, name=party.name, role=party.role, now=self._registry.clock(),
                                                  life=self._life)
        with writing(self._registry.engine) as connection:
            self._registry.renewed(connection, party, presented, describe(certificate))
        return certificate


class EnrolmentServicer(EnrolmentServiceServicer):
    """Serves enrolment; goes on the enrolment port."""

    def __init__(self, enrolments: Enrolments, limiter: FailureLimiter, coordinator_key: bytes,
                 address: str) -> None:
        self._enrolments = enrolments
        self._limiter = limiter
        self._coordinator_key = coordinator_key
        self._address = address

    async def Enrol(self, request: EnrolRequest, context: _Context) -> EnrolResponse:
        """Admit a newcomer, or count a failure."""
        source = source_address(context)
        self._limiter.check(source)
        try:
            certificate = await asyncio.to_thread(self._enrolments.admit, request)
        except UnavailableError:
            raise  # our own trouble is not the caller's failure
        except SealaneError as error:
            self._limiter.failed(source)
            log(_LOG, "enrolment.refused", level=logging.WARNING, code=error.code, source=source)
            raise
        party = describe(certificate)
        log(_LOG, "enrolment.admitted", name=party.name, role=party.role, serial=party.serial)
        return EnrolResponse(certificate_chain=[certificate.public_bytes(Encoding.DER)], name=party.name,
                             role=party.role, coordinator_address=self._address,
                             coordinator_signing_key=self._coordinator_key)


class RenewalServicer(RenewalServiceServicer):
    """Serves renewal; goes on the main port, behind mutual TLS."""

    def __init__(self, enrolments: Enrolments) -> None:
        self._enrolments = enrolments

    async def Renew(self, request: RenewRequest, context: _Context) -> RenewResponse:
        """Issue the next certificate of the party that calls."""
        certificate = await asyncio.to_thread(self._enrolments.renew, authenticated_peer(context), request)
        party = describe(certificate)
        log(_LOG, "enrolment.renewed", name=party.name, role=party.role, serial=party.serial)
        return RenewResponse(certificate_chain=[certificate.public_bytes(Encoding.DER)])


def _check_sizes(request: EnrolRequest) -> None:
    for field, size in (("token", TOKEN_BYTES), ("signing_key", PUBLIC_KEY_BYTES), ("sealing_key", PUBLIC_KEY_BYTES),
                        ("proof", SIGNATURE_BYTES)):
        got = len(getattr(request, field))
        if got != size:
            raise InputError("enrolment.malformed", f"{field} has the wrong length", got=f"{got} bytes",
                             expected=f"{size} bytes")
