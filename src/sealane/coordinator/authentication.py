"""Every call is checked against the registry: a valid certificate is not enough once its party was removed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import grpc.aio

from sealane.coordinator.registry import Party, Registry
from sealane.errors import RefusedError
from sealane.rpc.certificates import Certificate
from sealane.rpc.peer import authenticated_peer


def authenticate(context: grpc.aio.ServicerContext[Any, Any], registry: Registry, roles: Collection[str]) -> Party:
    """Return the enrolled party that calls.

    A stream outlives the check at its start, so whoever holds one asks again before each act that matters.

    Raises:
        RefusedError: no certificate, lapsed, no longer accepted, quarantined, removed, or another role than asked.
    """
    return admit_logged(authenticated_peer(context), registry, roles)


def admit_logged(certificate: Certificate, registry: Registry, roles: Collection[str]) -> Party:
    """Do what :func:`admit` does, and put a refusal into the audit log."""
    try:
        return admit(certificate, registry, roles)
    except RefusedError as error:
        registry.refused.note(certificate.name, certificate.role, certificate.fingerprint[:64], error)
        raise


def admit(certificate: Certificate, registry: Registry, roles: Collection[str]) -> Party:
    """Return the party that a certificate stands for, if it may call now; see :func:`authenticate`."""
    certificate.check_time(registry.clock())
    party = registry.holder(certificate)
    if party is None or (party.name, party.role) != (certificate.name, certificate.role) or party.status == "removed":
        raise RefusedError("auth.not-registered", f"{certificate.role} {certificate.name} is not registered with this "
                           "certificate", hint="it was removed or renewed since; ask the coordinator for an invitation")
    if party.status == "quarantined":
        raise RefusedError("auth.quarantined", f"{party.role} {party.name} is in quarantine",
                           hint="ask the coordinator's operator why")
    if party.role not in roles:
        raise RefusedError("auth.role", "this call is for others", got=f"{party.role} {party.name}",
                           expected=" or ".join(sorted(roles)))
    return party
