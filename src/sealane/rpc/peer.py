"""Who is calling: the party that the certificate of a connection names."""

from __future__ import annotations

import ipaddress
from typing import Any

import grpc.aio

from sealane.errors import RefusedError
from sealane.rpc.certificates import Certificate, read_pem

MAX_SOURCE_CHARACTERS = 64


def authenticated_peer(context: grpc.aio.ServicerContext[Any, Any]) -> Certificate:
    """Return what the caller's certificate says; TLS has checked that the caller holds its key and who issued it.

    Whether the party is still welcome is the registry's to say.

    Raises:
        RefusedError: no certificate was shown, or it names no party.
    """
    shown = list(context.auth_context().get("x509_pem_cert", ()))
    if len(shown) != 1:
        raise RefusedError("auth.no-certificate", "the caller showed no certificate", got=f"{len(shown)} certificates",
                           expected="one, over mutual TLS", hint="enrol first, then connect to the main port")
    return read_pem(bytes(shown[0]))


def source_address(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return where a call comes from, without its port: what failed attempts are counted by.

    An IPv6 caller is counted by its /64, which one host has all of.
    """
    kind, _, rest = str(context.peer()).partition(":")
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]")
    if kind == "ipv6" and not host.lower().startswith("::ffff:"):
        # Written forms differ, so the address is parsed, not cut.
        return _network(host)
    return (host or kind)[:MAX_SOURCE_CHARACTERS]


def _network(host: str) -> str:
    try:
        return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
    except ValueError:
        return host[:MAX_SOURCE_CHARACTERS]
