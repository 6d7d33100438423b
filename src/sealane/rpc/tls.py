"""Credentials and channel options: mutual TLS 1.3, bounded messages, keep-alive.

The names of constants say what they bound; both ends use the same ones.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import cast

import grpc
import grpc.aio

from sealane.core.secret import Secret
from sealane.secagg.result import MAXIMUM_RESULT

KEEPALIVE_SECONDS = 20
"""A silent connection is pinged this often, so that a dead peer or a forgetful firewall is noticed."""
KEEPALIVE_TIMEOUT_SECONDS = 10
"""A ping without an answer for this long ends the connection."""
MAX_MESSAGE_BYTES = 4 << 20
"""Largest message on a main port; larger payloads go in chunks."""
LARGEST_REPLY = MAXIMUM_RESULT + (1 << 20)
"""Largest answer of a server: a result, whole, which a client asks for with the same limit."""
MAX_ENROLMENT_BYTES = 64 << 10
"""Largest message on an enrolment port, whose callers are not yet known."""
MAX_METADATA_BYTES = 16 << 10
RECONNECT_FIRST_MS = 200
RECONNECT_MOST_MS = 15_000
CONNECT_MS = 10_000
"""How long one attempt to connect may take. Under the time of a few round trips nobody far away would ever connect."""
_DATA_FRAME_BYTES = 1 << 20

Options = list[tuple[str, int]]
_KEEPALIVE: Options = [
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
    # The longer of the two timeouts counts, and this one is a minute unless it is named.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What one end shows and trusts, in PEM: the authority, its own chain (leaf first) and the key to the leaf."""

    ca: bytes
    certificate: bytes
    key: Secret


def channel_options(*, largest: int = MAX_MESSAGE_BYTES) -> Options:
    """Return the options of a client's channel."""
    return [
        *_message_options(largest, largest),
        *_KEEPALIVE,
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_FIRST_MS),
        # Despite its name no pause, but how long an attempt gets before it is given up.
        ("grpc.min_reconnect_backoff_ms", CONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_MOST_MS),
        # An institution's web proxy would see the connection; the operator routes it, not the environment.
        ("grpc.enable_http_proxy", 0),
        # Two identities in one process never share a connection.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def server_options(*, largest: int = MAX_MESSAGE_BYTES, streams: int = 128) -> Options:
    """Return the options of a server; ``streams`` bounds the calls one connection holds open."""
    return [
        # What is taken in is bounded; what goes out is as large as a released model may be.
        *_message_options(largest, max(largest, LARGEST_REPLY)),
        ("grpc.max_concurrent_streams", streams),
        *_KEEPALIVE,
        # Pings of our own clients are no flood: accept them at half their interval.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 500),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 500),
        # A second server on a taken port fails instead of sharing it.
        ("grpc.so_reuseport", 0),
    ]


def _message_options(largest: int, sent: int) -> Options:
    return [
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", sent),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.http2.max_frame_size", _DATA_FRAME_BYTES),
    ]


def channel_credentials(ca: bytes, own: TlsFiles | None = None) -> grpc.ChannelCredentials:
    """Return a client's credentials: it trusts one authority, and shows its own certificate if it has one."""
    if own is None:
        return grpc.ssl_channel_credentials(ca)
    return grpc.ssl_channel_credentials(ca, own.key.reveal(), own.certificate)


def secure_channel(address: str, ca: bytes, own: TlsFiles | None = None, *,
                   largest: int = MAX_MESSAGE_BYTES) -> grpc.aio.Channel:
    """Open a channel to ``host:port`` that trusts one authority only, and presents ``own`` if given."""
    return grpc.aio.secure_channel(address, channel_credentials(ca, own), options=channel_options(largest=largest))


def server_credentials(current: Callable[[], TlsFiles], *, require_client: bool) -> grpc.ServerCredentials:
    """Return a server's credentials, asked for anew at every handshake so that a renewed certificate is shown at once.

    gRPC is handed a certificate only when it changed: it swaps them without holding handshakes under way, and swapping
    at each of them has crashed the process.

    Args:
        current: returns what to show now; it is called from a thread of grpc's.
        require_client: demand a certificate of the same authority from every client (main port).
    """
    def configuration(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(files.key.reveal(), files.certificate)], files.ca if require_client else None)

    shown = current()
    asking = Lock()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal shown
        with asking:
            files = current()
            if files == shown:
                return None
            shown = files
        return configuration(files)

    # Its type says that the second argument always returns a configuration; None is documented as "no change".
    return grpc.dynamic_ssl_server_credentials(
        configuration(shown), cast("Callable[[], grpc.ServerCertificateConfiguration]", changed), require_client)


def refuses_tls12(host: str, port: int, *, timeout: float = 5.0) -> bool:
    """Tell whether an enrolment port turns away a client that speaks at most TLS 1.2 (for ``doctor``; it blocks).

    Ask a port that demands no certificate, since one that does would turn this client away for that; the list of
    suites holds for every port of a coordinator alike.

    Raises:
        OSError: nothing listens there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only the version is of interest; nothing is sent
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, port), timeout) as plain:
        try:
            with context.wrap_socket(plain):
                return False
        except (ssl.SSLError, ConnectionError):
            return True
