"""Flower, as far as it is needed: the one module that touches what Flower does not promise to keep.

Everything else here speaks to its public names (``flwr.app``, ``flwr.serverapp``, ``flwr.clientapp``), which this
module hands out too. Not public, and so tested against each minor version that :func:`check_flower` lets pass:

- ``flwr.supercore.run.Run``: what a ``Grid`` answers when it is asked for its run;
- ``flwr.supercore.task_identity.TaskIdentity``: who a new ``Message`` says it is from, one for the whole process;
- ``flwr.common.serde`` with its protobuf ``Message``: a message as bytes.

One public method is watched: ``Strategy.start``, for what it returns (:func:`watching`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import get_ident
from typing import Any, Final

from sealane.computations.flower_version import check_flower
from sealane.errors import ProtocolError

SERVER: Final = 1
"""The id that a server half has in messages."""
RAISED: Final = 2
UNAVAILABLE: Final = 5
"""Codes of a Flower ``Error``: a ClientApp raised, a node is not there."""


@dataclass(frozen=True, slots=True)
class Flower:
    """Flower's names, loaded.

    Attributes:
        version: of the installed package.
        app: ``flwr.app``: Message, RecordDict, ArrayRecord, Context and so on.
        serverapp: ``flwr.serverapp``: Grid, ServerApp.
        clientapp: ``flwr.clientapp``: ClientApp.
    """

    version: str
    app: Any
    serverapp: Any
    clientapp: Any
    _identity: Any
    _run: Any
    _serde: Any
    _proto: Any

    def identify(self, run: int, node: int) -> None:
        """Say whose messages this process makes."""
        self._identity.run_id, self._identity.node_id, self._identity.task_id = run, node, node

    def empty_run(self, run: int) -> Any:
        """Return a run without an app bundle, as a ``Grid`` needs one."""
        return self._run.create_empty(run)

    def write(self, message: Any, message_id: str | None = None) -> bytes:
        """Write a message, under a given id if one is given."""
        proto = self._serde.message_to_proto(message)
        if message_id is not None:
            proto.metadata.message_id = message_id
        data: bytes = proto.SerializeToString()
        return data

    def write_all(self, messages: Sequence[Any], message_ids: Sequence[str]) -> Iterator[tuple[Any, bytes]]:
        """Write messages under given ids, one after another; what several of them hold is written once.

        A strategy sends the same model to all nodes. A message on the wire is its fields in a row, so that the content
        can be put behind any head (Protocol Buffers, *Encoding*: "last one wins" and concatenation).
        """
        written: tuple[Any, bytes] = (None, b"")
        for message, message_id in zip(messages, message_ids, strict=True):
            if not message.has_content():
                yield message, self.write(message, message_id)
                continue
            content = message.content
            if content is not written[0]:
                whole = self._serde.message_to_proto(message)
                whole.ClearField("metadata")
                written = (content, whole.SerializeToString())
            head = self._proto(metadata=self._serde.metadata_to_proto(message.metadata))
            head.metadata.message_id = message_id
            yield message, head.SerializeToString() + written[1]

    def without_content(self, message: Any) -> Any:
        """Return a message without its content: all that is needed to answer it."""
        about = message.metadata
        return self.app.Message(self.app.RecordDict(), about.dst_node_id, about.message_type, ttl=about.ttl,
                                group_id=about.group_id)

    def read(self, data: bytes) -> Any:
        """Read a message.

        Raises:
            ProtocolError: the bytes are none.
        """
        try:
            return self._serde.message_from_proto(self._proto.FromString(data))
        except Exception as error:  # whatever Flower raises on what another party sent
            raise ProtocolError("flower.malformed-message", "bytes are no message of Flower",
                                got=f"{len(data)} bytes, {type(error).__name__}") from None

    def refusal(self, data: bytes, code: int, reason: str) -> Any:
        """Return the error that answers a message which :meth:`write` wrote."""
        message = self._proto.FromString(data)
        message.ClearField("content")
        message.content.SetInParent()  # a message holds something, be it nothing
        empty = self._serde.message_from_proto(message)
        return self.app.Message(self.app.Error(code, reason), reply_to=empty)


@dataclass(slots=True)
class Started:
    """What the strategies of a server half have come to.

    Attributes:
        results: what each ``Strategy.start`` returned, in order.
        under_way: how many have not returned.
    """

    results: list[Any] = field(default_factory=list)
    under_way: int = 0


@contextmanager
def watching() -> Iterator[Started]:
    """Note what ``flwr.serverapp.strategy.Strategy.start`` returns to an app that starts it in this thread.

    Apps mostly write the model to a file and return nothing; this is how a run comes by it.
    """
    from flwr.serverapp.strategy import Strategy

    started, start, thread = Started(), Strategy.start, get_ident()

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        if get_ident() != thread:
            return start(self, *arguments, **named)
        started.under_way += 1
        result = start(self, *arguments, **named)
        started.under_way -= 1
        started.results.append(result)
        return result

    Strategy.start = noting  # type: ignore[method-assign]
    try:
        yield started
    finally:
        Strategy.start = start  # type: ignore[method-assign]


@cache
def load() -> Flower:
    """Import Flower with its telemetry off.

    Raises:
        InputError: it is not installed, or in a version that this adapter was not tested with.
    """
    os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # read when flwr is imported
    found = check_flower()
    import flwr.app
    import flwr.clientapp
    import flwr.serverapp
    from flwr.common import serde
    from flwr.proto import message_pb2
    from flwr.supercore.run import Run
    from flwr.supercore.task_identity import TaskIdentity

    return Flower(found, flwr.app, flwr.serverapp, flwr.clientapp, TaskIdentity, Run, serde, message_pb2.Message)
