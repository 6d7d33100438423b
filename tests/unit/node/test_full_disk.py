"""A node whose disk takes nothing more: what it tells, and what it tries again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stage import RUN, Stage, probe, stage  # noqa: F401 - fixtures

from sealane.core.secret import Secret
from sealane.errors import RefusedError, UnavailableError
from sealane.node import agent as agent_module
from sealane.node import run as module
from sealane.node import run_thread
from sealane.node.agent import Agent
from sealane.node.execution import Unconfined
from sealane.node.journal import Journal
from sealane.node.run_thread import RunThread
from sealane.rpc.notices import Failure, LogUpdate, RunEnded, RunOffer, StudyRecord

FULL = UnavailableError("disk.full", "the disk is full: nothing was written")


def full(*arguments: object) -> None:
    raise FULL


async def test_an_end_that_cannot_be_written_is_tried_again_and_told_to_nobody(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch  # noqa: F811 - the fixture
) -> None:
    """Told, the coordinator would say again that the run is over, and so on without end."""
    monkeypatch.setattr(module, "END_AGAIN_S", 0.01)
    on = stage()
    await on.offer()
    await on.begin()
    journal = on.nodes["a"].journal
    with monkeypatch.context() as patch:
        patch.setattr(journal, "end", full)
        assert await on.tell("a", RunEnded(RUN, None)) == []
        row = journal.run(RUN)
        assert row is not None
        assert not row.ended
    await asyncio.sleep(0.1)
    row = journal.run(RUN)
    assert row is not None
    assert row.ended
    assert row.agreement_seed == Secret(b"")


async def test_a_journal_that_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_thread, "Journal", full)
    said: list[Any] = []
    offer = RunOffer(RUN, StudyRecord(b"{}", "analyst", "2026-01-01T00:00:00Z"))
    thread = RunThread(offer, None, None, tmp_path / "runs.sqlite", said.append, None,  # type: ignore[arg-type]
                       execution=Unconfined())
    for _ in range(100):
        if not thread.alive:
            break
        await asyncio.sleep(0.01)
    assert said == [Failure(RUN, FULL)]


def test_a_journal_is_closed_also_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "runs.sqlite")
    monkeypatch.setattr(journal, "settle", full)
    with pytest.raises(UnavailableError):
        journal.close()
    with pytest.raises(Exception, match="closed") as caught:
        journal.run(RUN)
    assert not isinstance(caught.value, RefusedError)


async def test_a_checkpoint_that_cannot_be_kept_is_asked_for_again_on_the_same_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent_module, "KEEP_AGAIN_S", 0.01)
    said: list[object] = []
    witness: Any = SimpleNamespace(update=full, head=lambda: "from here")
    agent = Agent(None, None, witness, Unconfined())  # type: ignore[arg-type]
    monkeypatch.setattr(Agent, "_post", lambda self, message: said.append(message))
    await agent._receive(LogUpdate(0, b"", ()))
    assert said == []
    await asyncio.sleep(0.1)
    assert said == ["from here"]
