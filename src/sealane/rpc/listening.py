"""Starting a server on an address, and saying plainly when it cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import grpc.aio

from sealane.errors import UnavailableError
from sealane.rpc.interception import ErrorInterceptor
from sealane.rpc.tls import MAX_MESSAGE_BYTES, server_options


def new_server(*, largest: int = MAX_MESSAGE_BYTES, streams: int = 128, calls: int = 1024,
               interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> grpc.aio.Server:  # type: ignore[type-arg]
    """Return a server that maps errors as :mod:`sealane.rpc.interception` says.

    Args:
        largest: bytes of the largest message either way.
        streams: calls that one connection holds open.
        calls: calls under way in all; more are turned away.
        interceptors: further ones, called before the mapping of errors.
    """
    return grpc.aio.server(interceptors=[*interceptors, ErrorInterceptor()],
                           options=server_options(largest=largest, streams=streams), maximum_concurrent_rpcs=calls)


def bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials) -> int:
    """Bind a server to ``host:port`` (port 0: any free one) and return the port.

    Raises:
        UnavailableError: the port is in use, or the host is not this machine's.
    """
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError:
        port = 0  # older versions return it
    if not port:
        raise UnavailableError("listen.failed", f"cannot listen on {address}",
                               hint="is it in use by another process, or not an address of this machine? "
                                    "`sealane doctor` tells; settings.toml names another")
    return port
