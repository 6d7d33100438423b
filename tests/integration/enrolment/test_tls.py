"""What the two ports accept: TLS 1.3 and nothing older, certificates of one authority and no other."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sealane.api.enrolment.v1.enrolment_pb2 import RenewRequest, RenewResponse
from sealane.api.enrolment.v1.enrolment_pb2_grpc import (
    RenewalServiceServicer,
    RenewalServiceStub,
    add_RenewalServiceServicer_to_server,
)
from sealane.coordinator.authority import Authority
from sealane.core.clock import system_clock
from sealane.core.secret import Secret
from sealane.errors import RefusedError, SealaneError, UnavailableError
from sealane.rpc.certificates import certificate_request, new_tls_key, requested_key
from sealane.rpc.listening import bind, new_server
from sealane.rpc.status import from_rpc_error
from sealane.rpc.tls import TlsFiles, refuses_tls12, secure_channel, server_credentials

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make(system_clock() - 100 * DAY)


def party(authority: Authority, *, begun: timedelta = timedelta(0)) -> TlsFiles:
    key = new_tls_key()
    leaf = authority.issue_party(requested_key(certificate_request(key, "x")), name="north", role="node",
                                 now=system_clock() - begun, life=DAY)
    return TlsFiles(authority.pem, leaf.public_bytes(Encoding.PEM), key)


def server(authority: Authority, *hosts: str, begun: timedelta = timedelta(0)) -> TlsFiles:
    key = new_tls_key()
    leaf = authority.issue_server(requested_key(certificate_request(key, "x")), hosts=hosts or ["127.0.0.1"],
                                  now=system_clock() - begun, life=DAY)
    return TlsFiles(authority.pem, leaf.public_bytes(Encoding.PEM), key)


class Answering(RenewalServiceServicer):
    async def Renew(self, request: RenewRequest, context: Any) -> RenewResponse:
        return RenewResponse(certificate_chain=[b"here"])


async def call(shown: TlsFiles, trusted: bytes, own: TlsFiles | None, *, require: bool = True) -> bytes:
    listening = new_server()
    add_RenewalServiceServicer_to_server(Answering(), listening)
    port = bind(listening, "127.0.0.1:0", server_credentials(lambda: shown, require_client=require))
    await listening.start()
    try:
        async with secure_channel(f"127.0.0.1:{port}", trusted, own) as channel:
            response = await RenewalServiceStub(channel).Renew(RenewRequest(), timeout=10)
            return bytes(response.certificate_chain[0])
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, f"127.0.0.1:{port}") from None
    finally:
        await listening.stop(None)


def handshake(port: int, version: ssl.TLSVersion, own: TlsFiles | None, directory: Path) -> str | None:
    """Return the version agreed on with a port, by Python's own TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if own is not None:
        (directory / "own.pem").write_bytes(own.certificate + own.key.reveal())
        context.load_cert_chain(directory / "own.pem")
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as secured:
        return secured.version()


@pytest.mark.parametrize("require", [False, True])
async def test_a_tls_1_2_client_fails_and_a_1_3_client_passes(authority: Authority, require: bool,
                                                              tmp_path: Path) -> None:
    listening = new_server()
    shown = server(authority)
    port = bind(listening, "127.0.0.1:0", server_credentials(lambda: shown, require_client=require))
    await listening.start()
    own = party(authority)
    try:
        agreed = await asyncio.to_thread(handshake, port, ssl.TLSVersion.TLSv1_3, own, tmp_path)
        assert agreed == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(handshake, port, ssl.TLSVersion.TLSv1_2, own, tmp_path)
        assert await asyncio.to_thread(refuses_tls12, "127.0.0.1", port)
    finally:
        await listening.stop(None)


async def test_the_probe_sees_a_port_that_would_take_tls_1_2(authority: Authority, tmp_path: Path) -> None:
    shown = server(authority)
    (tmp_path / "server.pem").write_bytes(shown.certificate + shown.key.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listening = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        assert not await asyncio.to_thread(refuses_tls12, "127.0.0.1", port)


async def test_our_client_refuses_a_server_that_offers_only_tls_1_2(authority: Authority, tmp_path: Path) -> None:
    shown = server(authority)
    (tmp_path / "server.pem").write_bytes(shown.certificate + shown.key.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    listening = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context)
    async with listening:
        address = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with secure_channel(address, authority.pem, party(authority)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await RenewalServiceStub(channel).Renew(RenewRequest(), timeout=5)
    error = from_rpc_error(caught.value, address)
    assert (type(error), error.code) == (UnavailableError, "rpc.closed")
    assert "TLS 1.3" in str(error.hint)


async def test_both_ends_of_one_authority_agree(authority: Authority) -> None:
    assert await call(server(authority), authority.pem, party(authority)) == b"here"


async def test_each_wrong_certificate_has_a_code(authority: Authority) -> None:
    other = Authority.make(system_clock())
    own = party(authority)
    cases: list[tuple[str, type[SealaneError], TlsFiles, bytes, TlsFiles | None]] = [
        ("tls.certificate-authority", RefusedError, server(other), authority.pem, own),
        ("tls.certificate-authority", RefusedError, party(authority), authority.pem, own),  # a node as server
        ("tls.certificate-expired", RefusedError, server(authority, begun=3 * DAY), authority.pem, own),
        ("tls.certificate-name", RefusedError, server(authority, "elsewhere.example"), authority.pem, own),
        ("rpc.closed", UnavailableError, server(authority), authority.pem, party(other)),
        ("rpc.closed", UnavailableError, server(authority), authority.pem, party(authority, begun=3 * DAY)),
        ("rpc.closed", UnavailableError, server(authority), authority.pem, server(authority)),
        ("rpc.closed", UnavailableError, server(authority), authority.pem, None),
    ]
    for code, branch, shown, trusted, presented in cases:
        with pytest.raises(branch) as caught:
            await call(shown, trusted, presented)
        assert caught.value.code == code


async def test_a_renewed_server_certificate_is_shown_at_the_next_handshake(authority: Authority) -> None:
    lapsed, fresh = server(authority, begun=3 * DAY), server(authority)
    shown = [lapsed]
    listening = new_server()
    add_RenewalServiceServicer_to_server(Answering(), listening)
    port = bind(listening, "127.0.0.1:0", server_credentials(lambda: shown[0], require_client=True))
    await listening.start()
    try:
        for files, works in ((lapsed, False), (fresh, True)):
            shown[0] = files
            async with secure_channel(f"127.0.0.1:{port}", authority.pem, party(authority)) as channel:
                try:
                    await RenewalServiceStub(channel).Renew(RenewRequest(), timeout=5)
                    answered = True
                except grpc.aio.AioRpcError:
                    answered = False
            assert answered is works
    finally:
        await listening.stop(None)


async def test_a_port_in_use_is_typed(authority: Authority) -> None:
    credentials = server_credentials(lambda: server(authority), require_client=True)
    first = new_server()
    port = bind(first, "127.0.0.1:0", credentials)
    await first.start()
    try:
        with pytest.raises(UnavailableError) as caught:
            bind(new_server(), f"127.0.0.1:{port}", credentials)
        assert caught.value.code == "listen.failed"
        assert f"127.0.0.1:{port}" in caught.value.message
    finally:
        await first.stop(None)


async def test_nobody_there(authority: Authority) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        async with secure_channel(address, authority.pem, party(authority)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await RenewalServiceStub(channel).Renew(RenewRequest(), timeout=5)
    error = from_rpc_error(caught.value, address)
    assert error.code == "rpc.unreachable"
    assert address in str(error.hint)


async def test_a_message_over_the_limit_is_refused(authority: Authority) -> None:
    listening = new_server(largest=1000)
    add_RenewalServiceServicer_to_server(Answering(), listening)
    port = bind(listening, "127.0.0.1:0", server_credentials(lambda: server(authority), require_client=False))
    await listening.start()
    try:
        async with secure_channel(f"127.0.0.1:{port}", authority.pem) as channel:
            stub = RenewalServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Renew(RenewRequest(certificate_request=bytes(1001)), timeout=5)
            assert from_rpc_error(caught.value).code == "rpc.message-too-large"
            await stub.Renew(RenewRequest(), timeout=5)  # the connection is still good
    finally:
        await listening.stop(None)


def test_credentials_do_not_print_keys(authority: Authority) -> None:
    files = party(authority)
    assert "PRIVATE KEY" not in repr(files)
    assert isinstance(files.key, Secret)
