"""A server interceptor: errors of ours become status and detail, all others an opaque number that the log explains.

The log names the type of an unknown exception and the lines it came through, never its text, which may quote data.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from sealane.core.entropy import random_bytes
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.rpc.status import abort
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
_Context = grpc.aio.ServicerContext[Any, Any]


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stub only
    """Maps what handlers raise; handlers raise our errors and know nothing of status codes."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        streaming = (handler.request_streaming, handler.response_streaming)
        kind = "_".join("stream" if many else "unary" for many in streaming)
        behaviour = getattr(handler, kind)
        method = str(handler_call_details.method)
        wrap = _generator if inspect.isasyncgenfunction(behaviour) else _coroutine
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(wrap(behaviour, method), request_deserializer=handler.request_deserializer,
                    response_serializer=handler.response_serializer)


def _coroutine(behaviour: Callable[..., Awaitable[Any]], method: str) -> Callable[..., Awaitable[Any]]:
    async def call(request: Any, context: _Context) -> Any:
        try:
            return await behaviour(request, context)
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            await abort(context, public_error(error, method))

    return call


def _generator(behaviour: Callable[..., AsyncIterator[Any]], method: str) -> Callable[..., AsyncIterator[Any]]:
    async def call(request: Any, context: _Context) -> AsyncIterator[Any]:
        try:
            async for response in behaviour(request, context):
                yield response
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:
            await abort(context, public_error(error, method))

    return call


def public_error(error: Exception, method: str) -> SealaneError:
    """Return what a peer may know of an exception, and log the rest under a number."""
    if isinstance(error, UnavailableError):
        # Trouble of this side's own is for whoever runs it to mend; else it is only too early, or too often.
        own = error.code.startswith("storage.")
        log(_LOG, "rpc.unavailable", level=logging.ERROR if own else logging.INFO, method=method, error=error)
    elif isinstance(error, RefusedError | ProtocolError):
        log(_LOG, "rpc.refused", level=logging.WARNING, method=method, code=error.code)
    if isinstance(error, SealaneError):
        return error
    incident = random_bytes(6).hex()
    frames = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}:{frame.name}"
              for frame in traceback.extract_tb(error.__traceback__)]
    # The exception itself stays out of the record: whatever handler a host program has would print its text.
    log(_LOG, "rpc.unexpected-error", level=logging.ERROR, incident=incident, method=method,
        exception=type(error).__name__, frames=" > ".join(frames[-8:]))
    return SealaneError("internal.error", "something unexpected went wrong on the other side",
                        got=f"incident {incident}",
                        hint="give this number to whoever runs that side; the log explains it")
