"""Errors of handlers over a real channel: ours arrive whole, others as a number that only the log explains."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.interception import public_error
from sealane.rpc.listening import new_server
from sealane.rpc.status import from_rpc_error
from sealane.telemetry.logs import JsonLines

CANARY = "4929-1234-5678-9012"


def raise_it(request: bytes) -> None:
    if request == b"ours":
        raise RefusedError("cohort.too-small", "too few institutions", got=2, expected="at least 3", hint="wait")
    if request == b"other":
        raise KeyError(CANARY)


async def unary(request: bytes, context: Any) -> bytes:
    raise_it(request)
    if request == b"abort":
        await context.abort(grpc.StatusCode.NOT_FOUND, "by itself")
    return request


async def streaming(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield b"first"
    raise_it(request)


async def both(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        raise_it(request)
        yield request


async def upload(requests: AsyncIterator[bytes], context: Any) -> bytes:
    async for request in requests:
        raise_it(request)
    return b"done"


async def with_server(use: Callable[[grpc.aio.Channel], Awaitable[None]]) -> None:
    server = new_server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Streaming": grpc.unary_stream_rpc_method_handler(streaming),
        "Both": grpc.stream_stream_rpc_method_handler(both),
        "Upload": grpc.stream_unary_rpc_method_handler(upload),
    }),))
    port = server.add_insecure_port("127.0.0.1:0")  # in a test only: what is tested is above TLS
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await use(channel)
    finally:
        await server.stop(None)


async def outcome(channel: grpc.aio.Channel, method: str, request: bytes) -> tuple[list[bytes], SealaneError | None]:
    answers: list[bytes] = []
    try:
        if method == "Unary":
            answers.append(await channel.unary_unary("/t.T/Unary")(request))
        elif method == "Upload":
            answers.append(await channel.stream_unary("/t.T/Upload")(iter([request])))
        elif method == "Streaming":
            answers.extend([answer async for answer in channel.unary_stream("/t.T/Streaming")(request)])
        else:
            answers.extend([answer async for answer in channel.stream_stream("/t.T/Both")(iter([request]))])
    except grpc.aio.AioRpcError as error:
        return answers, from_rpc_error(error)
    return answers, None


@pytest.mark.parametrize("method", ["Unary", "Streaming", "Both", "Upload"])
async def test_our_errors_arrive_whole(method: str) -> None:
    async def use(channel: grpc.aio.Channel) -> None:
        _, error = await outcome(channel, method, b"ours")
        assert isinstance(error, RefusedError)
        assert error.to_dict() == {"branch": "RefusedError", "code": "cohort.too-small", "got": "2", "hint": "wait",
                                   "expected": "at least 3", "message": "too few institutions"}
        answers, error = await outcome(channel, method, b"fine")
        assert error is None
        assert answers

    await with_server(use)


@pytest.mark.parametrize("method", ["Unary", "Streaming", "Both", "Upload"])
async def test_an_unknown_exception_tells_the_peer_a_number_and_nobody_its_text(
        method: str, caplog: pytest.LogCaptureFixture) -> None:
    async def use(channel: grpc.aio.Channel) -> None:
        with caplog.at_level(logging.ERROR, "sealane"):
            _, error = await outcome(channel, method, b"other")
        assert error is not None
        assert error.code == "internal.error"
        assert CANARY not in str(error.to_dict())
        assert "KeyError" not in str(error.to_dict())
        (record,) = [one for one in caplog.records if one.name == "sealane.rpc.interception"]
        logged = json.loads(JsonLines().format(record))
        assert logged["event"] == "rpc.unexpected-error"
        assert logged["exception"] == "KeyError"
        assert logged["incident"] in str(error.got)
        assert "raise_it" in logged["frames"]
        assert CANARY not in str(vars(record))

    await with_server(use)


async def test_a_handlers_own_abort_is_left_alone() -> None:
    async def use(channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/t.T/Unary")(b"abort")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    await with_server(use)


async def test_a_call_cut_off_by_its_caller_is_no_incident(caplog: pytest.LogCaptureFixture) -> None:
    async def use(channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream("/t.T/Both")()
        await call.write(b"fine")
        await call.read()
        call.cancel()
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.ERROR, "sealane"):
        await with_server(use)
    assert caplog.records == []


def test_refusals_are_logged_by_code(caplog: pytest.LogCaptureFixture) -> None:
    error = RefusedError("auth.role", "this call is for others", got="auditor vera")
    assert public_error(error, "/sealane.api.run.v1.RunService/StartRun") is error
    [record] = [r for r in caplog.records if r.message == "rpc.refused"]
    assert "vera" not in str(record.__dict__)


def test_breaches_of_the_protocol_are_logged_by_code(caplog: pytest.LogCaptureFixture) -> None:
    error = ProtocolError("signature.invalid", "a signature does not verify", got="vera's")
    assert public_error(error, "/t.T/Unary") is error
    [record] = [r for r in caplog.records if r.message == "rpc.refused"]
    assert record.levelno == logging.WARNING
    assert "signature.invalid" in JsonLines().format(record)
    assert "vera" not in str(record.__dict__)


def test_this_sides_own_trouble_is_logged_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    error = UnavailableError("storage.full", "the coordinator's database cannot grow", hint="free space")
    assert public_error(error, "/t.T/Unary") is error
    [record] = [r for r in caplog.records if r.message == "rpc.unavailable"]
    assert record.levelno == logging.ERROR
    logged = json.loads(JsonLines().format(record))
    assert (logged["method"], logged["error"]["code"], logged["error"]["hint"]) == ("/t.T/Unary", "storage.full",
                                                                                   "free space")


def test_an_answer_that_comes_too_early_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sealane"):
        public_error(UnavailableError("result.not-yet", "the run has no result yet"), "/t.T/Unary")
    assert [(r.message, r.levelno) for r in caplog.records] == [("rpc.unavailable", logging.INFO)]
