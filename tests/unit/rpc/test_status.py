from __future__ import annotations

import grpc
import grpc.aio
import pytest

from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.status import METADATA_KEY, decode_error, encode_error, from_rpc_error, status_code


@pytest.mark.parametrize(("error", "status"), [
    (InputError("a.b", "m"), "INVALID_ARGUMENT"),
    (RefusedError("study.unapproved", "m"), "FAILED_PRECONDITION"),
    (RefusedError("auth.role", "m"), "PERMISSION_DENIED"),
    (ProtocolError("a.b", "m"), "ABORTED"),
    (UnavailableError("a.b", "m"), "UNAVAILABLE"),
    (SealaneError("a.b", "m"), "INTERNAL"),
])
def test_each_branch_has_its_status(error: SealaneError, status: str) -> None:
    assert status_code(error).name == status


def test_an_error_survives_the_wire() -> None:
    error = RefusedError("cohort.too-small", "too few", got=2, expected="at least 3", hint="wait")
    back = decode_error(encode_error(error))
    assert isinstance(back, RefusedError)
    assert back.to_dict() == error.to_dict()


def test_absent_and_empty_fields_stay_apart() -> None:
    back = decode_error(encode_error(InputError("a.b", "m", got="")))
    assert back is not None
    assert (back.got, back.expected, back.hint) == ("", None, None)


def test_a_peers_words_are_cut_and_cannot_drive_a_terminal() -> None:
    back = decode_error(encode_error(InputError("a.b", "\x1b[2J\x07evil\r\n" + "x" * 5000)))
    assert back is not None
    assert back.message.isprintable()
    assert len(back.message) == 1000


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff", b"\x0a" + b"x" * 20_000, b"\x0a\x02hi"])
def test_bytes_that_describe_nothing(data: bytes) -> None:
    assert decode_error(data) is None


def failure(code: grpc.StatusCode, details: str = "", *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details, None)


def test_a_described_error_wins_over_its_status() -> None:
    data = encode_error(ProtocolError("signature.invalid", "no"))
    assert from_rpc_error(failure(grpc.StatusCode.ABORTED, "x", (METADATA_KEY, data))).code == "signature.invalid"
    assert from_rpc_error(failure(grpc.StatusCode.ABORTED, "x", (METADATA_KEY, b"\xff"))).code == "rpc.failed"


@pytest.mark.parametrize(("code", "details", "branch", "ours"), [
    ("UNAVAILABLE", "failed to connect to all addresses; Connection refused", UnavailableError, "rpc.unreachable"),
    ("UNAVAILABLE", "last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", UnavailableError, "rpc.closed"),
    ("UNAVAILABLE", "UNAVAILABLE: ipv4:127.0.0.1:1: Handshake read failed (Socket closed)", UnavailableError,
     "rpc.closed"),
    ("UNAVAILABLE", "UNAVAILABLE: ipv4:127.0.0.1:1: recvmsg:Connection reset by peer", UnavailableError, "rpc.closed"),
    ("UNAVAILABLE", "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: certificate has expired", RefusedError,
     "tls.certificate-expired"),
    ("UNAVAILABLE", "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: self signed certificate", RefusedError,
     "tls.certificate-authority"),
    ("UNAVAILABLE", "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", RefusedError,
     "tls.certificate-not-yet"),
    ("UNAVAILABLE", "Hostname Verification Check failed.", RefusedError, "tls.certificate-name"),
    ("UNAVAILABLE", "SSL_ERROR_SSL: WRONG_VERSION_NUMBER", RefusedError, "tls.handshake"),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded", UnavailableError, "rpc.deadline"),
    ("CANCELLED", "", UnavailableError, "rpc.cancelled"),
    ("RESOURCE_EXHAUSTED", "Received message larger than max (9 vs. 4)", InputError, "rpc.message-too-large"),
    ("UNAUTHENTICATED", "", RefusedError, "auth.denied"),
    ("UNIMPLEMENTED", "Method not found!", ProtocolError, "rpc.unimplemented"),
    ("DATA_LOSS", "odd", ProtocolError, "rpc.failed"),
])
def test_failures_without_a_description(code: str, details: str, branch: type[SealaneError], ours: str) -> None:
    error = from_rpc_error(failure(grpc.StatusCode[code], details), "coord.example:7443")
    assert type(error) is branch
    assert error.code == ours
    assert "coord.example:7443" in error.message or ours == "rpc.message-too-large"


def test_an_unreachable_address_is_named_in_the_hint() -> None:
    error = from_rpc_error(failure(grpc.StatusCode.UNAVAILABLE, "Connection refused"), "coord.example:7443")
    assert "coord.example:7443" in str(error.hint)


def test_a_server_that_shuts_down_in_a_handshake_is_unavailable() -> None:
    from sealane.rpc.status import _unavailable

    said = "Handshake read failed (Shutting down endpoint)"
    assert isinstance(_unavailable(said, said, "127.0.0.1:1"), UnavailableError)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL])
def test_a_call_cut_short_is_unavailable_and_others_are_not(code: grpc.StatusCode) -> None:
    def meant(details: str) -> SealaneError:
        return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details))

    assert meant("Received RST_STREAM with error code 0").code == "rpc.closed"
    assert meant("Stream removed").code == "rpc.closed"
    assert meant("Internal error from Core").code == "rpc.closed"
    assert meant("division by zero").code == "rpc.failed"
