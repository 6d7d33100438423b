"""Errors across the wire: the branches of the error tree as gRPC status, the rest of an error in trailing metadata.

What a peer says about an error is text from another party: it is bounded and stripped of control characters before
anyone prints it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Never, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from sealane.api.errors.v1.error_detail_pb2 import ErrorDetail
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.error_detail import clean, describe_error, described_error

METADATA_KEY = "sealane-error-bin"
MAX_DETAIL_BYTES = 6 << 10

_BROKEN_OFF = ("socket closed", "connection reset", "broken pipe", "end of tcp stream", "timed out", "shutting down",
               "handshake write failed", "handshake read failed")
"""What gRPC says of a connection that ended without a verdict, also in the middle of a handshake."""
_CUT_SHORT = ("rst_stream", "stream removed", "stream closed", "internal error from core")
"""What gRPC says of a call whose other end went away while this one was still writing; the last is what its asyncio
half makes of a write that the call's end overtook."""
_BRANCH_STATUS: tuple[tuple[type[SealaneError], grpc.StatusCode], ...] = (
    (InputError, grpc.StatusCode.INVALID_ARGUMENT),
    (RefusedError, grpc.StatusCode.FAILED_PRECONDITION),
    (ProtocolError, grpc.StatusCode.ABORTED),
    (UnavailableError, grpc.StatusCode.UNAVAILABLE),
)


def status_code(error: SealaneError) -> grpc.StatusCode:
    """Return the gRPC status of an error; codes under ``auth.`` are PERMISSION_DENIED."""
    if isinstance(error, RefusedError) and error.code.startswith("auth."):
        return grpc.StatusCode.PERMISSION_DENIED
    return next((status for branch, status in _BRANCH_STATUS if isinstance(error, branch)), grpc.StatusCode.INTERNAL)


def encode_error(error: SealaneError) -> bytes:
    """Return an error as a serialised ``ErrorDetail``, its fields cut to what metadata may carry."""
    return describe_error(error).SerializeToString()


def decode_error(data: bytes) -> SealaneError | None:
    """Return the error that a peer described, or None if the bytes are no description."""
    if len(data) > MAX_DETAIL_BYTES * 2:
        return None
    detail = ErrorDetail()
    try:
        detail.ParseFromString(data)
    except DecodeError:
        return None
    return described_error(detail) if detail.code else None


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: SealaneError) -> Never:
    """End a call with an error; the caller's :func:`from_rpc_error` rebuilds it."""
    await context.abort(status_code(error), clean(error.message), ((METADATA_KEY, encode_error(error)),))
    raise AssertionError("abort returned")  # it raises; its type stub does not say so


def from_rpc_error(error: grpc.aio.AioRpcError | grpc.Call, address: str = "") -> SealaneError:
    """Return what a failed call means, as one of our errors.

    Args:
        error: from a call on a client's channel.
        address: where the call went, for the hint.
    """
    trailing: Iterable[tuple[str, str | bytes]] = cast("Any", error.trailing_metadata()) or ()
    for key, value in trailing:
        if key == METADATA_KEY and isinstance(value, bytes) and (described := decode_error(value)) is not None:
            return described
    where = address or "the coordinator"
    said = clean(error.details() or "")[:300]
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return _unavailable(f"{said} {_debug_text(error)}", said, where)
    if code in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL) and any(s in said.lower() for s in _CUT_SHORT):
        return UnavailableError("rpc.closed", f"{where} closed the connection", got=said, hint="it stops just now")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return UnavailableError("rpc.deadline", f"{where} did not answer in time", got=said,
                                hint="try again; if it stays so, ask its operator or raise the deadline in settings")
    if code is grpc.StatusCode.CANCELLED:
        return UnavailableError("rpc.cancelled", f"the call to {where} was cut off", got=said, hint="try again")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return InputError("rpc.message-too-large", "a message is larger than the other side takes", got=said,
                          hint="large payloads go in chunks; the limit is part of what both sides agreed")
    if code in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED):
        return RefusedError("auth.denied", f"{where} does not let this party do that", got=said)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ProtocolError("rpc.unimplemented", f"{where} does not offer this call", got=said,
                             hint="another port was named, or the two sides run different versions")
    return ProtocolError("rpc.failed", f"the call to {where} failed", got=f"{code.name}: {said}")


def _debug_text(error: grpc.aio.AioRpcError | grpc.Call) -> str:
    """Return gRPC's own account, which a blocking call's error has under the same name but not in its type."""
    text = getattr(error, "debug_error_string", lambda: "")()
    return str(text or "")


def _unavailable(said: str, details: str, where: str) -> SealaneError:
    """Tell a refused certificate from a machine that is away: gRPC reports both as UNAVAILABLE."""
    lower = said.lower()
    if "certificate has expired" in lower or "certificate_expired" in lower:
        return RefusedError("tls.certificate-expired", f"a certificate on the way to {where} has lapsed", got=details,
                            hint="check the clocks; the side whose certificate lapsed enrols or starts again")
    if "not yet valid" in lower:
        return RefusedError("tls.certificate-not-yet", f"the certificate of {where} begins later than now",
                            got=details, hint="check the clocks of both machines")
    if ("peer name" in lower and "not in peer certificate" in lower) or "hostname verification" in lower:
        return RefusedError("tls.certificate-name", f"the certificate of {where} is for other names", got=details,
                            hint="use the address in the invitation, or have the coordinator add this name")
    if "certificate_verify_failed" in lower or "unknown_ca" in lower or "self signed" in lower:
        return RefusedError("tls.certificate-authority", f"the certificate of {where} is not its coordinator's",
                            got=details,
                            hint="the invitation belongs to another coordinator, or someone stands between")
    if any(sign in lower for sign in _BROKEN_OFF):
        # In TLS 1.3 a client is done before the server has judged its certificate; and a server that goes away in the
        # middle of a handshake looks like one that wants none. Either may be over soon.
        return UnavailableError("rpc.closed", f"{where} closed the connection", got=details,
                                hint="it stops just now, it is no Sealane port with TLS 1.3, or it does not take this "
                                     "party's certificate: enrolled with another coordinator, or lapsed "
                                     "(`sealane doctor`)")
    if "ssl" in lower or "tls" in lower or "handshake" in lower:
        return RefusedError("tls.handshake", f"no secure connection to {where}", got=details,
                            hint="the port may not be a Sealane port, the own certificate may be refused there, or the "
                                 "two sides share no TLS 1.3")
    return UnavailableError("rpc.unreachable", f"{where} cannot be reached", got=details,
                            hint=f"check that it runs and that {where} is right and open in the firewall "
                                 "(`sealane doctor`)")
