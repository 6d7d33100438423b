"""What gRPC is told about certificates and about silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from sealane.core.secret import Secret
from sealane.rpc.tls import KEEPALIVE_TIMEOUT_SECONDS, TlsFiles, channel_options, server_credentials, server_options
from sealane.secagg.result import MAXIMUM_RESULT


def test_a_certificate_is_handed_over_only_when_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC 1.81 frees the former one under handshakes that use it: swapped at each, some thousand are a crash."""
    fetchers: list[Callable[[], Any]] = []

    def dynamic(initial: Any, fetcher: Callable[[], Any], require: bool) -> object:
        fetchers.append(fetcher)
        return object()

    monkeypatch.setattr(grpc, "dynamic_ssl_server_credentials", dynamic)
    old, new = (TlsFiles(b"ca", certificate, Secret(b"key")) for certificate in (b"old", b"new"))
    shown = [old]
    server_credentials(lambda: shown[0], require_client=True)
    fetch, = fetchers
    assert fetch() is None
    shown[0] = TlsFiles(b"ca", b"old", Secret(b"key"))  # read again, and the same
    assert fetch() is None
    shown[0] = new
    assert fetch() is not None
    assert fetch() is None


@pytest.mark.parametrize("options", [channel_options(), server_options()])
def test_a_ping_without_an_answer_ends_a_connection_soon(options: list[tuple[str, int]]) -> None:
    """gRPC counts the longer of the two, and takes a minute for the one that is not named."""
    named = dict(options)
    assert named["grpc.keepalive_timeout_ms"] == named["grpc.http2.ping_timeout_ms"] == KEEPALIVE_TIMEOUT_SECONDS * 1000


def test_a_server_answers_with_a_whole_result_and_takes_in_little() -> None:
    served, called = dict(server_options()), dict(channel_options())
    assert served["grpc.max_send_message_length"] > MAXIMUM_RESULT
    assert served["grpc.max_receive_message_length"] == 4 << 20
    assert called["grpc.max_receive_message_length"] == called["grpc.max_send_message_length"] == 4 << 20
