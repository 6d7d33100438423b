"""The fork server: a process that was executed afresh, holds no key, and forks one child for each attempt.

It is started before anything is asked of it, so that no run waits for imports. First it locks itself in (files it may
read, a network with nothing in it, processes of its own), then it imports the computations, and while nothing is asked
what many of them need. What only one needs (LightGBM, PyTorch) it imports before that one's first run: every node would
else hold it in memory. It ends when the node's end of its socket closes; as the first process of a namespace it takes
its children along.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from sealane.errors import SealaneError
from sealane.node.sandbox import landlock, namespaces
from sealane.node.sandbox.limits import limits_from
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.syscalls import PR_SET_PDEATHSIG, drop_capabilities, no_new_privileges, prctl

LARGEST = 1 << 16
IDLE_SECONDS = 5.0
"""After so long without anything asked, a module that many computations need is imported."""
FIRST_HANDLE, AWAY, LAST_HANDLE = 3, 64, 1 << 16
"""Below the first are the standard ones, which lead nowhere."""
STATUS = struct.Struct("<id")
"""How a child ended: the status that wait(2) gave, and its processor seconds."""


def main(handle: int) -> None:
    """Serve one node, over the socket at this handle."""
    gc.disable()  # until all that stays is imported, of which nothing is garbage
    control = socket.socket(fileno=handle)
    asked = json.loads(control.recv(LARGEST))
    offer = Offer(**asked["offer"])
    try:
        if offer.namespaces:
            _first_process(control)
        if offer.landlock:
            no_new_privileges()
            landlock.restrict(offer.landlock, asked["readable"])
        drop_capabilities()
        late = _import(asked["preload"])
    except Exception as error:
        control.send(json.dumps({"failed": type(error).__name__}).encode())
        return
    control.send(json.dumps({"ready": True}).encode())
    _freeze()
    _Serving(control, offer, late).serve()


def _first_process(control: socket.socket) -> None:
    """Go on as the first process of new namespaces; this one stays to bury it."""
    namespaces.enter()
    child = os.fork()
    if child:
        control.close()
        os.waitpid(child, 0)
        os._exit(0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _import(preload: list[str]) -> list[str]:
    """Import all computations, and read their code; return what is imported when there is time."""
    from sealane.computations.installed import read_sources
    from sealane.computations.registry import LATE, get, names

    for module in ("sealane.node.sandbox.child", *preload):
        import_module(module)
    read_sources(get(name) for name in names())
    return list(LATE)


def _code(name: str) -> str:
    """Return the hash of a computation's code as it was when this process started; empty where there is none."""
    from sealane.computations.installed import code_hash
    from sealane.computations.registry import get

    try:
        return code_hash(get(name))
    except SealaneError:
        return ""


def _try_import(module: str) -> None:
    """Import a module; whatever a library raises must not end this process: the child that needs it says so."""
    with suppress(Exception):
        import_module(module)


def _freeze() -> None:
    """Let what was imported be shared with every child."""
    gc.collect()
    gc.freeze()
    gc.enable()


class _Serving:
    def __init__(self, control: socket.socket, offer: Offer, late: list[str]) -> None:
        self._control = control
        self._offer = offer
        self._late = late
        self._numbers: dict[int, tuple[int, int]] = {}
        """Number and status pipe of each child, by process id."""

    def serve(self) -> None:
        """Fork and bury until the node has gone."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        while True:
            ready, _, _ = select.select([self._control.fileno(), woken], [], [], IDLE_SECONDS if self._late else None)
            if not ready:
                self._import_one()
            if woken in ready:
                os.read(woken, 4096)
                self._bury()
            if self._control.fileno() in ready:
                message, handles, _, _ = socket.recv_fds(self._control, LARGEST, 4)
                if not message:
                    break
                asked = json.loads(message)
                if "kill" in asked:
                    self._kill(asked["kill"])
                else:
                    self._fork(asked, handles)
        for pid in self._numbers:
            os.kill(pid, signal.SIGKILL)

    def _import_one(self) -> None:
        _try_import(self._late.pop(0))
        if not self._late:
            _freeze()

    def _fork(self, asked: dict[str, Any], handles: list[int]) -> None:
        wire, rows, status, *table = handles
        for module in asked["late"]:
            _try_import(module)
        hashes = {asked["computation"]: _code(asked["computation"])}
        pid = os.fork()
        if pid == 0:
            try:
                _become_child(wire, rows, *table)
                compute: Callable[..., None] = import_module("sealane.node.sandbox.child").compute
                compute(self._offer, limits_from(asked["limits"]), hashes)
            finally:
                os._exit(1)
        for handle in (wire, rows, *table):
            os.close(handle)
        self._numbers[pid] = (asked["spawn"], status)

    def _kill(self, number: int) -> None:
        for pid, (known, _) in self._numbers.items():
            if known == number:
                os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        while self._numbers:
            pid, status, used = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            _, pipe = self._numbers.pop(pid)
            with suppress(OSError):  # nobody waits for it any more
                os.write(pipe, STATUS.pack(status, used.ru_utime + used.ru_stime))
            os.close(pipe)


def _become_child(*handles: int) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # First out of the way of the places that they go to.
    high = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, AWAY) for each in handles]
    for place, handle in enumerate(high, start=FIRST_HANDLE):
        os.dup2(handle, place, inheritable=False)
    os.closerange(FIRST_HANDLE + len(high), LAST_HANDLE)


if __name__ == "__main__":
    main(int(sys.argv[1]))
