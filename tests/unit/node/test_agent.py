"""How a serving node holds its stream: how soon it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealane._version import __version__
from sealane.core.clock import ManualClock, system_clock
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.node import agent as module
from sealane.node.acts import MemoryActs
from sealane.node.agent import Agent
from sealane.node.execution import Unconfined
from sealane.node.fresh import Fresh
from sealane.node.register import Register
from sealane.node.scoring.vouching import Vouching
from sealane.node.witness import MemoryKept
from sealane.rpc.notices import Directory, Welcome

WITNESS: Any = SimpleNamespace(
    head=lambda: None, fresh=SimpleNamespace(head=lambda: None, question=lambda: None))


class Line:
    """A coordinator that answers (or not), holds for a while, and goes away."""

    address = "nowhere:1"
    largest = 1 << 29

    def __init__(self, *, answers: bool, holds_s: float) -> None:
        self.answers = answers
        self.holds_s = holds_s

    def send(self, message: object) -> None:
        pass

    async def __aiter__(self) -> AsyncIterator[object]:
        if self.answers:
            yield Welcome(__version__, 1, 1)
        await self.module_sleep(self.holds_s)
        raise UnavailableError("coordinator.closed", "gone")

    module_sleep = staticmethod(asyncio.sleep)


async def pauses(lines: Iterator[Line], count: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long a node waited before each of its next connections."""
    waited: list[float] = []
    enough = asyncio.Event()
    sleep = asyncio.sleep

    async def sleeping(seconds: float) -> None:
        if seconds == module.RENEWAL_CHECK_S:
            await sleep(3600)
        waited.append(seconds)
        if len(waited) >= count:
            enough.set()
            await sleep(3600)
        await sleep(0)

    @asynccontextmanager
    async def open_link(identity: object) -> AsyncIterator[Any]:
        yield next(lines)

    monkeypatch.setattr(module, "open_link", open_link)
    monkeypatch.setattr(module, "needs_renewal", lambda certificate, now: False)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleeping}))
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "announcements", lambda home: [])
    monkeypatch.setattr(module.aftermath, "questions", lambda home, under_way: [])
    monkeypatch.setattr(module, "HELD_S", 0.03)
    home: Any = SimpleNamespace(identity=lambda: SimpleNamespace(certificate=None), clock=system_clock,
                                register=SimpleNamespace(unsent=list))
    agent = Agent(home, None, WITNESS, Unconfined())  # type: ignore[arg-type]
    serving = asyncio.create_task(agent.serve())
    await asyncio.wait_for(enough.wait(), 10)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return waited


async def test_a_node_whose_stream_held_comes_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter([Line(answers=True, holds_s=0.05)] * 100)
    assert max(await pauses(lines, 8, monkeypatch)) <= 0.02


async def test_one_stream_that_held_makes_up_for_many_that_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter([*[Line(answers=False, holds_s=0.0)] * 9, Line(answers=True, holds_s=0.05)])
    waited = await pauses(lines, 10, monkeypatch)
    assert waited[8] > 2
    assert waited[9] <= 0.02


@pytest.mark.parametrize("answers", [True, False])
async def test_a_node_that_is_cut_off_at_once_comes_back_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    lines = iter([Line(answers=answers, holds_s=0.0)] * 100)
    waited = await pauses(lines, 12, monkeypatch)
    assert module.LONGEST_PAUSE_S / 2 <= waited[-1] <= module.LONGEST_PAUSE_S


async def test_two_processes_of_one_identity_do_not_take_turns_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Replaced(Line):
        async def __aiter__(self) -> AsyncIterator[object]:
            yield Welcome(__version__, 1, 1)
            await self.module_sleep(0.05)
            raise RefusedError("stream.replaced", "another took its place")

    waited = await pauses(iter([Replaced(answers=True, holds_s=0.05)] * 100), 10, monkeypatch)
    assert waited[-1] > 2


@pytest.mark.parametrize(("error", "level", "event"), [
    (UnavailableError("rpc.unreachable", "no answer"), "WARNING", "coordinator.unavailable"),
    (UnavailableError("storage.full", "its disk is full"), "WARNING", "coordinator.unavailable"),
    (RefusedError("auth.not-registered", "removed"), "ERROR", "coordinator.refused"),
    (ProtocolError("rpc.unimplemented", "no such call"), "ERROR", "coordinator.protocol"),
])
async def test_why_a_stream_ended_is_told_by_what_it_asks_of_the_operator(
    error: SealaneError, level: str, event: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Ending(Line):
        async def __aiter__(self) -> AsyncIterator[object]:
            raise error
            yield

    caplog.set_level("INFO", logger="sealane")
    await pauses(iter([Ending(answers=False, holds_s=0.0)] * 10), 3, monkeypatch)
    said = [(record.levelname, record.getMessage()) for record in caplog.records
            if record.getMessage().startswith("coordinator.")]
    assert said == [(level, event)]  # once, while it stays the same


async def test_the_desk_of_a_node_that_nobody_vouches_for_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: ManualClock
) -> None:
    monkeypatch.setattr(module, "Vouching", partial(Vouching, patience_s=0.01))
    key = SigningKey(Secret(bytes(32)))
    with closing(Register(tmp_path / "node.sqlite", key.fingerprint, clock)) as register:
        home: Any = SimpleNamespace(identity=lambda: SimpleNamespace(signing_key=key), clock=clock, register=register)
        witness: Any = SimpleNamespace(fresh=Fresh(key, MemoryKept(), MemoryActs(key.fingerprint, clock)))
        agent = Agent(home, None, witness, Unconfined())  # type: ignore[arg-type]
        with pytest.raises(UnavailableError) as caught:
            await asyncio.to_thread(agent.desk.vouched)
        assert caught.value.code == "score.not-vouched"
        agent.desk.close()


@pytest.mark.parametrize(("said", "code", "branch"), [
    ([Directory(())], "stream.no-welcome", ProtocolError),
    ([Welcome(__version__, 1, 1), Welcome(__version__, 1, 1)], "stream.second-welcome", ProtocolError),
    ([Welcome("99.0.0", 1, 1)], "stream.version", RefusedError),
])
async def test_a_coordinator_that_begins_wrongly_is_left(
    said: list[object], code: str, branch: type[SealaneError], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Talking(Line):
        async def __aiter__(self) -> AsyncIterator[object]:
            for message in said:
                yield message
            await self.module_sleep(3600)

    problems: list[SealaneError] = []
    monkeypatch.setattr(Agent, "_note", lambda self, error: problems.append(error))
    await pauses(iter([Talking(answers=True, holds_s=0)] * 100), 2, monkeypatch)
    assert {(error.code, type(error)) for error in problems} == {(code, branch)}
    assert len(problems) >= 2  # it stays up, and tries again
