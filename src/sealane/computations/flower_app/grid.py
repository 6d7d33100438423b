"""Flower's ``Grid`` over whatever carries bytes to nodes: replies are matched, bounded and counted here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sealane.computations.flower_app.library import RAISED, SERVER, UNAVAILABLE, Flower
from sealane.core.entropy import random_bytes
from sealane.errors import ProtocolError, SealaneError, UnavailableError

MAXIMUM_MESSAGE = 512 << 20


class Carrier(Protocol):
    """Brings bytes to nodes and theirs back. What it calls back with may come from any thread."""

    def start(self, arrived: Callable[[int, bytes], None], lost: Callable[[int, str], None]) -> None:
        """Begin: ``arrived`` takes a node's reply, ``lost`` that whatever a node was asked is not answered any more."""

    def nodes(self) -> Mapping[int, str]:
        """Return ids and names of the nodes that can be sent to now.

        Raises:
            UnavailableError: one is gone and will not come back.
        """

    def send(self, node: int, data: bytes) -> None:
        """Send to a node, at once or when the batch is whole."""

    def sent(self) -> None:
        """Take note that a batch is whole."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that a node did not answer with content."""

    node: str
    group: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Messages that went out together, and what came back.

    Attributes:
        group: the app's own name of it, mostly the number of the round.
        kind: type of its messages, such as ``train``.
        nodes: how many were asked.
        answered: how many of them answered with content.
        sent: bytes to the nodes.
        received: bytes from them.
        seconds: from the first byte to the last.
    """

    group: str
    kind: str
    nodes: int
    answered: int
    sent: int
    received: int
    seconds: float


@dataclass(slots=True)
class SealaneGrid:
    """Implements ``flwr.serverapp.Grid``; :func:`make_grid` also registers it as one.

    Attributes:
        flower: the library.
        carrier: brings messages to nodes.
        tolerate: pass errors of nodes on to the app, as Flower does, where they would else end the run.
        tell: is told each exchange when it is over.
        exchanges: those that are over.
        failures: what nodes did not answer, in order.
        error: the typed error of the first failure, where none is tolerated.
        most: bytes of the longest message.
        words: makes of a node's reason for an error what is told of it.
    """

    flower: Flower
    carrier: Carrier
    tolerate: bool = False
    tell: Callable[[Exchange], None] = lambda exchange: None
    exchanges: list[Exchange] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    error: SealaneError | None = None
    most: int = MAXIMUM_MESSAGE
    words: Callable[[str], str] = str
    sent: int = 0
    received: int = 0
    _run: Any = None
    _names: dict[int, str] = field(default_factory=dict)
    _pending: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    _replies: dict[str, Any] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def run(self) -> Any:
        """The run, as Flower describes one."""
        return self._run

    def set_run(self, run: Any) -> None:
        """Set what :attr:`run` answers."""
        self._run = run

    def create_message(self, content: Any, message_type: str, dst_node_id: int, group_id: str,
                       ttl: float | None = None) -> Any:
        """Return a message of this run to a node."""
        return self.flower.app.Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Return the nodes that can be sent to now.

        Raises:
            UnavailableError: one is gone for good; an app that waits for so many would wait for ever.
        """
        self._check()
        nodes = self.carrier.nodes()
        self._names.update(nodes)
        return list(nodes)

    def get_nodes(self) -> list[Any]:
        """Return the same, each with what Flower wants to know of it."""
        get_nodes: Callable[[Any], Iterable[Any]] = self.flower.serverapp.Grid.get_nodes
        return list(get_nodes(self))

    def push_messages(self, messages: Iterable[Any]) -> list[str]:
        """Send messages, and return their ids."""
        self._check()
        names = dict(self.carrier.nodes())
        self._names.update(names)
        batch = list(messages)
        sent = list[str]()
        for message, data in self.flower.write_all(batch, ids := [random_bytes(16).hex() for _ in batch]):
            message_id, node = ids[len(sent)], message.metadata.dst_node_id
            if len(data) > self.most:
                raise ProtocolError("flower.message-too-large", "a message of the app is too large",
                                    got=f"{len(data)} bytes", expected=f"at most {self.most}")
            with self._changed:
                head = self.flower.write(self.flower.without_content(message), message_id)
                self._pending[message_id] = (node, head, message.metadata.group_id)
                self.sent += len(data)
            sent.append(message_id)
            if node in names:
                self.carrier.send(node, data)
            else:
                self.lost(node, "the node is not connected")
        self.carrier.sent()
        return sent

    def pull_messages(self, message_ids: Iterable[str]) -> list[Any]:
        """Return the replies to some messages that are there by now, each once."""
        with self._changed:
            found = [self._replies.pop(one) for one in list(message_ids) if one in self._replies]
        self._check()
        return found

    def send_and_receive(self, messages: Iterable[Any], *, timeout: float | None = None) -> list[Any]:
        """Send messages and wait for the replies, or for the time to run out.

        Raises:
            ProtocolError: a ClientApp raised, or a node answered with an error; with ``tolerate`` the app sees it.
            UnavailableError: a node was lost.
        """
        batch = list(messages)
        if not batch:
            return []
        began, sent, received = time.monotonic(), self.sent, self.received
        ids = self.push_messages(batch)
        wanted, answers = set(ids), dict[str, Any]()
        with self._changed:
            while wanted:
                for one in wanted & self._replies.keys():
                    wanted.discard(one)
                    answers[one] = self._replies.pop(one)
                left = None if timeout is None else timeout - (time.monotonic() - began)
                if not wanted or self.error is not None or (left is not None and left <= 0):
                    break
                self._changed.wait(left)
            for one in wanted:  # a reply that comes later is for nobody
                self._pending.pop(one, None)
        # In order of nodes: an average shall not depend on who was faster, or whom a strategy drew first.
        got = sorted((answers[one] for one in ids if one in answers), key=lambda reply: reply.metadata.src_node_id)
        first = batch[0].metadata
        self.exchanges.append(Exchange(first.group_id, first.message_type, len(batch),
                                       sum(reply.has_content() for reply in got), self.sent - sent,
                                       self.received - received, time.monotonic() - began))
        self.tell(self.exchanges[-1])
        self._check()
        return got

    def arrived(self, node: int, data: bytes) -> None:
        """Take a node's reply."""
        try:
            reply = self.flower.read(data)
        except ProtocolError as error:
            self.lost(node, f"{error.message}: {error.got}")
            return
        with self._changed:
            message_id = reply.metadata.reply_to_message_id
            asked = self._pending.get(message_id)
            if asked is None or asked[0] != node:
                return  # late, or in answer to what another was asked
            del self._pending[message_id]
            self.received += len(data)
            self._replies[message_id] = reply
            if reply.has_error():
                self._failed(node, asked[2], reply.error.code, reply.error.reason or "")
            self._changed.notify_all()

    def lost(self, node: int, why: str) -> None:
        """Answer what a node was asked, in its place, with an error."""
        with self._changed:
            for message_id, (asked, head, group) in list(self._pending.items()):
                if asked == node:
                    del self._pending[message_id]
                    self._replies[message_id] = self.flower.refusal(head, UNAVAILABLE, why)
                    self._failed(node, group, UNAVAILABLE, why)
            self._changed.notify_all()

    def stop(self, error: SealaneError) -> None:
        """Let the app's next call, or the one that waits, raise this error."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()

    def _failed(self, node: int, group: str, code: int, reason: str) -> None:
        name, reason = self._names.get(node, str(node)), self.words(reason)
        self.failures.append(Failure(name, group, code, reason))
        if self.tolerate or self.error is not None:
            return
        got = f"{name}: {reason}"[:500]
        if code == UNAVAILABLE:
            self.error = UnavailableError("flower.node-lost", "a node was lost while it was asked something", got=got,
                                          hint="to go on without it, as Flower does: --tolerate, or tolerate = true "
                                               "in a study")
        else:
            what = "a ClientApp raised" if code == RAISED else "a node answered with an error"
            self.error = ProtocolError("flower.client-app-failed", what, got=got,
                                       hint="`sealane flower run` shows its traceback; to go on, as Flower does: "
                                            "--tolerate, or tolerate = true in a study")

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


def make_grid(flower: Flower, carrier: Carrier, *, run: int = 1, tolerate: bool = False,
              tell: Callable[[Exchange], None] = lambda exchange: None) -> SealaneGrid:
    """Return a grid over a carrier, which is started."""
    flower.serverapp.Grid.register(SealaneGrid)
    flower.identify(run, SERVER)
    grid = SealaneGrid(flower, carrier, tolerate, tell)
    grid.set_run(flower.empty_run(run))
    carrier.start(grid.arrived, grid.lost)
    return grid
