"""Nodes as processes of this machine, one each, that answer over a socket: for running an app without a federation.

A process that dies loses what it was asked, and is started again, twice at most; its app's state is gone with it.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from sealane.computations.flower_app.half import Seat
from sealane.errors import UnavailableError, from_dict
from sealane.flower import frames

FIRST = 101
"""Id of the first node in messages; Flower's own server half is 1."""
RESTARTS = 2
READY_S = 60.0
STOP_S = 5.0
MEMORY = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824"}
"""Lets glibc use the buffers of one round again in the next: five times as fast with a model of 40 MB."""


@dataclass(slots=True)
class _Place:
    seat: Seat
    name: str
    process: subprocess.Popen[bytes]
    stream: socket.socket
    outgoing: queue.SimpleQueue[bytes | None]
    restarts: int = 0
    ready: bool = False


def name_of(node: int) -> str:
    """Return a local node's name."""
    return f"node-{node - FIRST + 1}"


@dataclass(slots=True)
class Processes:
    """A :class:`~sealane.computations.flower_app.grid.Carrier` over processes; use it in a ``with`` block.

    Attributes:
        seats: one for each process.
        restarted: names of nodes that died and were started again.
    """

    seats: Sequence[Seat]
    restarted: list[str] = field(default_factory=list)
    _places: dict[int, _Place] = field(default_factory=dict)
    _arrived: Callable[[int, bytes], None] = lambda node, data: None
    _lost: Callable[[int, str], None] = lambda node, why: None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False
    _gone: str | None = None

    def __enter__(self) -> Self:
        try:
            for seat in self.seats:
                self._places[seat.node] = _open(seat)
            for place in self._places.values():
                _await_ready(place)
                place.ready = True
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._close()

    def pids(self) -> dict[str, int]:
        """Return each node's process."""
        return {place.name: place.process.pid for place in self._places.values()}

    def start(self, arrived: Callable[[int, bytes], None], lost: Callable[[int, str], None]) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`."""
        self._arrived, self._lost = arrived, lost
        for place in self._places.values():
            self._serve(place)

    def nodes(self) -> dict[int, str]:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`; one that starts again is waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._gone is not None or all(p.ready for p in self._places.values()),
                                   READY_S)
            if self._gone is not None:
                raise UnavailableError("flower.node-gone", "a node died again and again, and is not started any more",
                                       got=self._gone, expected=f"at most {RESTARTS} restarts",
                                       hint="what it printed is above; does it run out of memory?")
            return {node: place.name for node, place in self._places.items() if place.ready}

    def send(self, node: int, data: bytes) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`."""
        self._places[node].outgoing.put(data)

    def sent(self) -> None:
        """See :class:`~sealane.computations.flower_app.grid.Carrier`: a message went when it was sent."""

    def _serve(self, place: _Place) -> None:
        for work in (self._read, self._write):
            threading.Thread(target=work, args=(place,), name=place.name, daemon=True).start()

    def _write(self, place: _Place) -> None:
        with suppress(OSError):  # the reader sees the end too, and says so
            while (data := place.outgoing.get()) is not None:
                frames.send(place.stream, data)

    def _read(self, place: _Place) -> None:
        while (data := frames.receive(place.stream)) is not None:
            self._arrived(place.seat.node, data)
        if not self._closing:
            self._again(place)

    def _again(self, place: _Place) -> None:
        place.ready = False
        place.outgoing.put(None)
        _stop(place)
        node = place.seat.node
        self._lost(node, f"its process ended with status {place.process.returncode}")
        try:
            if place.restarts == RESTARTS:
                raise UnavailableError("flower.node-gone", "a node died too often", got=place.name)
            fresh = _open(place.seat)
            fresh.restarts = place.restarts + 1
            with self._changed:
                self._places[node] = fresh
            _await_ready(fresh)
        except Exception:  # an error of the app's: it is named by whoever asks for the nodes next
            with self._changed:
                self._gone = place.name
                self._changed.notify_all()
            return
        with self._changed:
            fresh.ready = True
            self.restarted.append(place.name)
            self._changed.notify_all()
        if self._closing:
            _stop(fresh)
        else:
            self._serve(fresh)

    def _close(self) -> None:
        self._closing = True
        for place in self._places.values():
            place.outgoing.put(None)
            with suppress(OSError):
                place.stream.shutdown(socket.SHUT_RDWR)
        for place in self._places.values():
            _stop(place)


def seats(app: str, count: int, config: Mapping[str, bool | int | float | str], run: int = 1) -> list[Seat]:
    """Return the seats of local nodes: each is told its ``partition-id`` and ``num-partitions``, as Flower does."""
    first = Seat(app, run, FIRST, {"num-partitions": count}, dict(config))
    return [replace(first, node=FIRST + place, node_config={**first.node_config, "partition-id": place})
            for place in range(count)]


def _open(seat: Seat) -> _Place:
    ours, theirs = frames.pair()
    with theirs:
        # A session of its own: Ctrl-C reaches this process only, which then closes the sockets that end the others.
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "sealane.flower.client_half", str(theirs.fileno())], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=2, start_new_session=True,  # what an app prints goes to stderr
            env=os.environ | MEMORY | {"FLWR_TELEMETRY_ENABLED": "0"})
    place = _Place(seat, name_of(seat.node), process, ours, queue.SimpleQueue())
    with suppress(OSError):  # one that ended already is found out where it is waited for
        frames.send(ours, seat.to_bytes())
    return place


def _await_ready(place: _Place) -> None:
    """Wait until a process loaded its app.

    Raises:
        InputError: the app does not load there.
        UnavailableError: the process ended, or took too long.
    """
    place.stream.settimeout(READY_S)
    said = frames.receive(place.stream)
    place.stream.settimeout(None)
    if said is None:
        raise UnavailableError("flower.node-not-ready", "a node's process did not come up", got=place.name,
                               expected=f"ready within {READY_S:g} s", hint="what it printed is above")
    if said != b"{}":
        raise from_dict(json.loads(said))


def _stop(place: _Place) -> None:
    """End a process: it leaves when its socket closes, or is killed."""
    with suppress(OSError):
        place.stream.shutdown(socket.SHUT_RDWR)
    try:
        place.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        place.process.kill()
        place.process.wait()
    place.stream.close()
