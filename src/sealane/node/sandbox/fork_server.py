"""The node's end of the fork server: started, asked for children, started again when it has died."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from sealane.computations.base import Computation
from sealane.errors import RefusedError, UnavailableError
from sealane.node.sandbox.limits import Limits
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.probe import environment
from sealane.node.sandbox.readable import readable_paths
from sealane.node.sandbox.server import LARGEST

START_SECONDS = 60.0
BUFFER = 4 << 20
"""Of a child's wire: a model passes it in a few steps, each of which may wait for a busy machine."""


@dataclass(slots=True)
class Child:
    """One child, from outside.

    Attributes:
        number: by which the fork server knows it.
        wire: frames to and from it.
        status: becomes readable when it has ended.
    """

    number: int
    wire: socket.socket
    status: int

    def close(self) -> None:
        """Close the node's handles."""
        self.wire.close()
        os.close(self.status)


@dataclass(slots=True)
class ForkServer:
    """A fork server, for all runs of a node; may be used from any thread.

    Attributes:
        offer: what it locks itself and its children in with.
        extra: directories that it finds more computations in.
        preload: modules that it imports for them.
    """

    offer: Offer
    extra: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _process: subprocess.Popen[bytes] | None = None
    _control: socket.socket | None = None
    _ready: bool = False
    _closed: bool = False

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        with self._lock:
            self._start()

    def spawn(self, rows: int, limits: Limits, computation: Computation[Any], table: int | None = None) -> Child:
        """Fork a child that has these rows. Waits for a server that is not ready, and starts one that has died.

        Args:
            rows: handle of the rows.
            limits: of the child.
            computation: that it is for.
            table: handle of a file with the rows, if it is to have one.

        Raises:
            RefusedError: the server could not lock itself in.
            UnavailableError: it does not start.
        """
        with self._lock:
            control = self._living()
            number = next(self._numbers)
            ours, theirs = socket.socketpair()
            for end in (ours, theirs):
                for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    end.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                asked = json.dumps({"spawn": number, "limits": limits.to_dict(), "computation": computation.name,
                                    "late": getattr(computation, "late", ())}).encode()
                handles = [theirs.fileno(), rows, write, *([] if table is None else [table])]
                socket.send_fds(control, [asked], handles)
            except OSError as error:
                ours.close()
                os.close(read)
                self._stop()
                raise _gone(error) from error
            finally:
                theirs.close()
                os.close(write)
        ours.setblocking(False)
        return Child(number, ours, read)

    def kill(self, child: Child) -> None:
        """End a child; one that has ended is let be."""
        with self._lock, suppress(OSError):
            if self._control is not None:
                self._control.send(json.dumps({"kill": child.number}).encode())

    @property
    def pid(self) -> int | None:
        """Process id of what was started."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End it and all its children."""
        with self._lock:
            self._closed = True
            self._stop()

    def _living(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._control is not None
        if not self._ready:
            self._await_ready(self._control)
        return self._control

    def _start(self) -> None:
        if self._closed:
            raise UnavailableError("sandbox.closed", "the node is stopping")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "sealane.node.sandbox.server", str(theirs.fileno())],
                env=environment(self.extra), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True)
        self._control, self._ready = ours, False
        asked: dict[str, Any] = {
            "offer": asdict(self.offer), "readable": readable_paths(self.extra), "preload": list(self.preload)}
        ours.send(json.dumps(asked).encode())

    def _await_ready(self, control: socket.socket) -> None:
        control.settimeout(START_SECONDS)
        try:
            said = control.recv(LARGEST)
            answer = json.loads(said) if said else {}
        except (OSError, ValueError) as error:
            self._stop()
            raise _gone(error) from error
        if "ready" not in answer:
            self._stop()
            raise RefusedError("sandbox.not-locked", "the process for computations could not lock itself in",
                               got=str(answer.get("failed", "it ended"))[:40], expected=self.offer.describe(),
                               hint="`sealane doctor` says what this host offers; nothing was computed")
        control.settimeout(None)
        self._ready = True

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0)
            self._process.kill()
            self._process.wait()
            self._process = None




def _gone(error: Exception) -> UnavailableError:
    return UnavailableError("sandbox.not-started", "the process for computations does not answer",
                            got=type(error).__name__, hint="the run goes on when it is resumed")
