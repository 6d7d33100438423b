"""Computations of this node in children of a fork server: each gets its rows, and asks for sums by messages."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.core.canonical import parse_canonical
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.node.execution import Used
from sealane.node.gate import Admission
from sealane.node.row_file import chunks_of, holds_texts, lay_down
from sealane.node.sandbox.arrays import read_terms, read_values, totals_frame, values_frame
from sealane.node.sandbox.child import FACTS, NOT_LOCKED
from sealane.node.sandbox.described import heard
from sealane.node.sandbox.fork_server import Child, ForkServer
from sealane.node.sandbox.frames import PREFIX, SMALL, Frame, read_header, read_prefix, write_head
from sealane.node.sandbox.letters import letters_frame, read_letters
from sealane.node.sandbox.limits import Limits
from sealane.node.sandbox.rows import hands_on, seal_rows, table_of
from sealane.node.sandbox.server import STATUS

BURIAL_SECONDS = 5.0
CHUNK, LONG = 1 << 16, 1 << 20


@dataclass(slots=True)
class Sandbox:
    """Satisfies :class:`sealane.node.execution.Execution`; may be used from any thread's loop.

    Attributes:
        server: forks the children.
        limits: of each run.
        filed: directory for files of rows; None where they lie in memory.
    """

    server: ForkServer
    limits: Limits
    filed: Path | None = None

    @property
    def full(self) -> bool:
        """True where children are locked in with everything that there is."""
        return self.server.offer.full

    async def compute(
        self, admission: Admission, data: Dataset, cohort: Cohort, run_id: str, used: Used = lambda microseconds: None
    ) -> Payload:
        """See :class:`sealane.node.execution.Execution`.

        Raises:
            RefusedError: a limit was crossed, something not allowed was tried, or the child could not be locked in.
            ProtocolError: the child sent what is no message, or broke.
            UnavailableError: the child was killed, or cannot be started; the run can go on later.
        """
        with self._rows(data, admission) as (rows, table, limits, described):
            # Not awaited: cut short, it would leave a child behind.
            child = self.server.spawn(rows, limits, admission.computation, table)
        begin = Frame("begin", {
            "computation": admission.computation.name, "code": admission.code,
            "parameters": admission.parameters.model_dump(mode="json"), **described,
            "contract": data.contract.model_dump(mode="json"),
            "cohort": {name: getattr(cohort, name) for name in FACTS}},
            getattr(admission.computation, "bundle", b""))
        conversation = _Conversation(child, self.limits, run_id)
        try:
            return await conversation.hold(begin, cohort)
        finally:
            try:
                self.server.kill(child)  # one that gave its result, or refused, is about to end by itself
                used(int((await conversation.burial()).seconds * 1e6))
            finally:
                child.close()


    @contextmanager
    def _rows(self, data: Dataset, admission: Admission) -> Iterator[tuple[int, int | None, Limits, dict[str, Any]]]:
        """Hold the rows for a child: their handle, that of a file to hand on, its limits, and what lies where."""
        columns, limits = admission.computation.columns(admission.parameters), self.limits
        table = None
        if self.filed is not None and not holds_texts(data.contract, columns) and not hands_on(admission):
            laid = lay_down(self.filed, data.contract, columns, chunks_of(data, columns))
            handle = laid.handle
            # What is mapped takes addresses, and no memory that the machine could not have back.
            limits = replace(limits, memory_bytes=limits.memory_bytes + laid.size)
            described = {"filed": True, "rows": laid.rows, "columns": list(laid.columns), "whole": list(laid.whole)}
        else:
            frame = data.frame(columns)
            handle, sealed = seal_rows(frame)
            table = table_of(admission, frame)
            described = {"filed": False, "rows": len(frame), "columns": sealed}
        try:
            yield handle, table, limits, described | {"table": table is not None}
        finally:
            for one in (handle, *([] if table is None else [table])):
                os.close(one)


@dataclass(frozen=True, slots=True)
class _Buried:
    """How a child ended: its status, None where nobody told, and its processor seconds."""

    status: int | None
    seconds: float


class _Conversation:
    """What is said with one child."""

    def __init__(self, child: Child, limits: Limits, run_id: str) -> None:
        self._child = child
        self._limits = limits
        self._run_id = run_id
        self._loop = asyncio.get_running_loop()
        self._read = bytearray()
        self._buried: _Buried | None = None

    async def hold(self, begin: Frame, cohort: Cohort) -> Payload:
        """Say what to compute, answer every message, and return the result."""
        await self._send(begin)
        while True:
            frame = await self._receive()
            match frame.kind:
                case "sum":
                    await self._send(totals_frame(await cohort.sum(read_terms(frame))))
                case "agree":
                    await self._send(values_frame("agreed", await cohort.agree(read_values(frame))))
                case "letters":
                    others = set(cohort.names) - {cohort.names[cohort.place]}
                    await self._send(letters_frame(await cohort.correspond(read_letters(frame, others))))
                case "result":
                    return self._payload(frame)
                case "error":
                    raise heard(frame.fields, self._run_id, self._limits)
                case _:
                    raise ProtocolError("sandbox.malformed-frame", "what the computation sent is no message",
                                        got="an unknown kind")

    def _payload(self, frame: Frame) -> Payload:
        most = self._limits.result_bytes
        if len(frame.body) > most:
            raise RefusedError("sandbox.result-too-large", "the computation returns more than it may",
                               got=f"{len(frame.body)} bytes", expected=f"at most {most} bytes",
                               hint="raise sandbox.result_bytes in the node's settings.toml, if that is meant")
        try:
            payload = parse_canonical(bytes(frame.body), limit=most)
        except InputError:
            payload = None
        if not isinstance(payload, dict) or frame.fields:
            raise ProtocolError("sandbox.malformed-frame", "what the computation sent is no message", got="no result")
        return payload

    async def _send(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(self._limits.step_seconds):
                head = write_head(frame)
                for part in (head + frame.body,) if len(frame.body) <= SMALL else (head, frame.body):
                    await self._loop.sock_sendall(self._child.wire, part)
        except TimeoutError:
            raise self._too_slow() from None
        except OSError:
            raise await self._death() from None

    async def _receive(self) -> Frame:
        try:
            async with asyncio.timeout(self._limits.step_seconds):
                header, body = read_prefix(await self._take(PREFIX.size), self._largest())
                return read_header(await self._take(header), await self._take(body))
        except TimeoutError:
            raise self._too_slow() from None
        except (OSError, EOFError):
            raise await self._death() from None

    def _largest(self) -> int:
        return max(self._limits.message_bytes, self._limits.result_bytes)

    async def _take(self, count: int) -> bytes:
        """Return so many bytes of what the child sent. Memory is taken as it fills, not as it is announced."""
        while len(self._read) < count:
            got = await self._loop.sock_recv(self._child.wire, CHUNK if count < CHUNK else LONG)
            if not got:
                raise EOFError
            self._read += got
        taken = bytes(self._read[:count])
        del self._read[:count]
        return taken

    def _too_slow(self) -> RefusedError:
        return RefusedError("sandbox.too-slow", "the computation made no progress within its time",
                            expected=f"a message within {self._limits.step_seconds:g} s",
                            hint="raise sandbox.step_seconds in the node's settings.toml, if it needs longer")

    async def burial(self) -> _Buried:
        """Wait until the child has ended, and return how; whoever asks again is told the same."""
        if self._buried is not None:
            return self._buried
        ended = asyncio.Event()
        self._loop.add_reader(self._child.status, ended.set)
        try:
            async with asyncio.timeout(BURIAL_SECONDS):
                await ended.wait()
            said = os.read(self._child.status, STATUS.size)
        except TimeoutError:
            said = b""
        finally:
            self._loop.remove_reader(self._child.status)
        # Where nobody told, the fork server has gone as well.
        self._buried = _Buried(*STATUS.unpack(said)) if len(said) == STATUS.size else _Buried(None, 0.0)
        return self._buried

    async def _death(self) -> SealaneError:
        """Return what a child died of that said nothing."""
        buried = await self.burial()
        return _killed() if buried.status is None else _cause(buried.status, buried.seconds, self._limits)


def _cause(status: int, seconds: float, limits: Limits) -> SealaneError:
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seconds >= limits.cpu_seconds):
        return RefusedError("sandbox.cpu-exceeded", "the computation used up its processor time",
                            got=f"{seconds:.0f} s", expected=f"at most {limits.cpu_seconds} s",
                            hint="raise sandbox.cpu_seconds in the node's settings.toml, if it needs more")
    if code == -signal.SIGKILL:
        return _killed()
    if code == NOT_LOCKED:
        return RefusedError("sandbox.not-locked", "the process for computations could not lock itself in",
                            hint="`sealane doctor` says what this host offers; nothing was computed")
    name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return ProtocolError("sandbox.crashed", "the computation's process broke", got=name,
                         hint="a library in it is at fault, or found too little memory")


def _killed() -> UnavailableError:
    return UnavailableError("sandbox.killed", "the computation's process was killed",
                            hint="resume the run: it goes on from the last opened sum")
