"""The child of one attempt: locks itself in, reads what to compute, computes, and says the result or what went wrong.

Everything here runs in a process that was forked for this attempt. It never returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import resource
import signal
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.computations.registry import get, read_parameters
from sealane.core.canonical import canonical_bytes
from sealane.core.handles import write_all
from sealane.core.memory import keep_freed_memory
from sealane.errors import RefusedError
from sealane.governance.contract import Contract
from sealane.node.row_file import FiledRows, Laid
from sealane.node.sandbox import landlock, seccomp
from sealane.node.sandbox.arrays import read_totals, read_values, terms_frame, values_frame
from sealane.node.sandbox.described import tell
from sealane.node.sandbox.frames import PREFIX, SMALL, Frame, read_header, write_head
from sealane.node.sandbox.letters import letters_frame, read_letters
from sealane.node.sandbox.limits import OPEN_FILES, THREADS, Limits
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.rows import SealedRows
from sealane.node.sandbox.syscalls import (
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    drop_capabilities,
    no_new_privileges,
    prctl,
)
from sealane.secagg.terms import Term

NOT_LOCKED = 71
"""Exit status of a child that could not lock itself in: it has computed nothing."""
FACTS = ("size", "run", "honest", "minimum_count", "smallest", "exposed", "names", "place")
"""What a child is told of its cohort."""
WIRE, ROWS, TABLE = 3, 4, 5
"""Where the child has its pipe to the node, its rows, and a file with them where its computation hands one on."""


class Wire:
    """Frames over a blocking handle; plain reads and writes, for the child may make no call that is for sockets."""

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        head = write_head(frame)
        for part in (head + frame.body,) if len(frame.body) <= SMALL else (head, frame.body):
            write_all(WIRE, part)

    def receive(self) -> Frame:
        """Wait for a frame; the node is trusted to send what it means."""
        header, body = PREFIX.unpack(bytes(self._read(PREFIX.size)))
        return read_header(bytes(self._read(header)), self._read(body))

    def _read(self, count: int) -> bytearray:
        out = bytearray(count)
        rest = memoryview(out)
        while rest:
            got = os.readv(WIRE, [rest])
            if got == 0:
                os._exit(0)  # the node has gone, or has lost its interest
            rest = rest[got:]
        return out


class WireCohort:
    """The cohort as a computation sees it from inside; satisfies :class:`sealane.computations.base.Cohort`."""

    def __init__(self, wire: Wire, facts: Mapping[str, Any]) -> None:
        self._wire = wire
        size, run, honest, minimum_count, smallest, exposed, names, place = (facts[name] for name in FACTS)
        self.size: int = size
        self.run: str = run
        self.honest: int = honest
        self.minimum_count: int = minimum_count
        self.smallest: int = smallest
        self.exposed: bool = exposed
        self.names: tuple[str, ...] = tuple(names)
        self.place: int = place

    async def sum(self, terms: Mapping[str, Term]) -> dict[str, NDArray[Any]]:
        """Have the node sum the terms. An error there ends this process, not this call."""
        self._wire.send(terms_frame(terms))
        return read_totals(self._wire.receive())

    async def agree(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Have the node settle an array. An error there ends this process, not this call."""
        self._wire.send(values_frame("agree", np.asarray(values, dtype=np.float64)))
        return read_values(self._wire.receive())

    async def correspond(self, letters: Mapping[str, bytes]) -> dict[str, bytes]:
        """Have the node pass letters on. An error there ends this process, not this call."""
        self._wire.send(letters_frame(letters))
        return read_letters(self._wire.receive())


def compute(offer: Offer, limits: Limits, hashes: Mapping[str, str]) -> None:
    """Be the child. The pipe and the rows are at :data:`WIRE` and :data:`ROWS`, and no other handle is open."""
    loop = asyncio.new_event_loop()  # it makes a pair of sockets to wake itself, which cannot be made later
    asyncio.set_event_loop(loop)
    try:
        lock_in(offer, limits)
    except BaseException:
        os._exit(NOT_LOCKED)
    wire = Wire()
    try:
        wire.send(_result(loop, wire, hashes))
    except BaseException as error:  # a computation may raise anything, and nothing of it is printed
        with contextlib.suppress(BaseException):
            wire.send(Frame("error", tell(error)))
    os._exit(0)


def lock_in(offer: Offer, limits: Limits) -> None:
    """Give up everything that a computation does not need.

    Raises:
        OSError: the kernel refuses a part of it.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)
    for name, most in _resources(offer, limits):
        resource.setrlimit(name, most)
    drop_capabilities()
    no_new_privileges()
    if offer.landlock:
        landlock.restrict_signals(offer.landlock)
    if offer.seccomp:
        seccomp.install(os.getpid())


def _resources(offer: Offer, limits: Limits) -> list[tuple[int, tuple[int, int]]]:
    memory = _address_space() + limits.memory_bytes
    bounds = [
        (resource.RLIMIT_AS, (memory, memory)),
        (resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1)),
        (resource.RLIMIT_FSIZE, (0, 0)),
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES)),
        (resource.RLIMIT_MEMLOCK, (0, 0)),
        (resource.RLIMIT_MSGQUEUE, (0, 0)),
    ]
    if offer.namespaces:  # elsewhere the processes of the whole account would count
        bounds.append((resource.RLIMIT_NPROC, (THREADS, THREADS)))
    return bounds


def _address_space() -> int:
    """Return the bytes of address space in use, to a megabyte: /proc cannot be read in here, so limits are tried."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 1 << 47
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, mmap.PAGESIZE).close()
            high = middle
        except OSError:
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return high


def _result(loop: asyncio.AbstractEventLoop, wire: Wire, hashes: Mapping[str, str]) -> Frame:
    frame = wire.receive()
    begin = frame.fields
    name = begin["computation"]
    if hashes.get(name) != begin["code"]:
        raise RefusedError("sandbox.other-code", "the computation's code is not what the node expects",
                           got=str(hashes.get(name))[:16], expected=begin["code"][:16],
                           hint="packages were changed while the node served: start it again")
    contract, rows, columns = Contract.model_validate(begin["contract"]), begin["rows"], begin["columns"]
    data: Dataset = (FiledRows(Laid(ROWS, rows, tuple(columns), tuple(begin["whole"])), contract) if begin["filed"]
                     else SealedRows(ROWS, columns, contract, rows))
    os.close(ROWS)
    cohort = WireCohort(wire, begin["cohort"])
    params = read_parameters(name, begin["parameters"])
    computation: Any = get(name)
    if frame.body:
        keep_freed_memory()  # an app passes whole models, again and again
        computation = computation.with_bundle(bytes(frame.body), params)
    if begin["table"]:
        computation = computation.with_table(f"/proc/self/fd/{TABLE}")
    payload = loop.run_until_complete(computation.run(data, cohort, params))
    return Frame("result", {}, canonical_bytes(payload))
