"""Whoever is killed, nothing is left behind and the node can go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disturbed import descendants as below
from locked_in import SEEN, ClearCohort, LockedIn, locked_in

from sealane.errors import RefusedError, SealaneError, UnavailableError
from sealane.node.sandbox.offer import Offer


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pids: list[int], wait_s: float = 5.0) -> bool:
    deadline = time.monotonic() + wait_s
    while any(lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Pausing(ClearCohort):
    """Calls something when a sum is asked for, and answers it then."""

    def __init__(self, do: Callable[[], Any]) -> None:
        super().__init__()
        self._do = do

    async def sum(self, terms: Any) -> dict[str, Any]:
        self._do()
        return await super().sum(terms)


async def test_a_child_that_is_killed_leaves_a_run_that_can_be_resumed(inside: LockedIn) -> None:
    server = inside.sandbox.server.pid
    assert server is not None

    def kill() -> None:
        os.kill(below(server)[-1], signal.SIGKILL)

    with pytest.raises(UnavailableError) as caught:
        await inside.act("compute", cohort=Pausing(kill))
    assert caught.value.code == "sandbox.killed"
    assert (await inside.act("compute"))["rows"] == 12


@pytest.mark.parametrize("which", [0, -1])
async def test_a_fork_server_that_is_killed_takes_its_children_along_and_is_started_again(
    which: int, inside: LockedIn
) -> None:
    server = inside.sandbox.server.pid
    assert server is not None
    first, child = below(server)[0], list[int]()

    def kill() -> None:
        child.extend(below(first))
        os.kill([server, first][which], signal.SIGKILL)
        assert gone(child)

    with pytest.raises(UnavailableError) as caught:
        await inside.act("compute", cohort=Pausing(kill))
    assert caught.value.code == "sandbox.killed"
    assert child
    assert gone([server, first, *child])
    assert (await inside.act("compute"))["rows"] == 12
    assert inside.sandbox.server.pid != server


async def test_a_cancelled_computation_ends_its_child(inside: LockedIn) -> None:
    server = inside.sandbox.server.pid
    assert server is not None
    before = set(below(server))
    computing = asyncio.create_task(inside.act("spin"))
    while not set(below(server)) - before:  # noqa: ASYNC110 - another process is waited for
        await asyncio.sleep(0.01)
    child = sorted(set(below(server)) - before)
    computing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await computing
    assert await asyncio.to_thread(gone, child)


NODE = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from disturbed import descendants as below
from locked_in import SEEN, locked_in

async def main():
    with locked_in() as inside:
        assert (await inside.act("compute"))["rows"] == 12
        print(inside.sandbox.server.pid, flush=True)
        await inside.act("spin")

asyncio.run(main())
"""


def test_a_node_that_is_killed_leaves_no_process_behind(inside: LockedIn) -> None:
    support = str(Path(__file__).parents[3] / "support")
    with subprocess.Popen([sys.executable, "-c", NODE, support], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        server = int(node.stdout.readline())
        while len(below(server)) < 2:
            time.sleep(0.01)
        left = [server, *below(server)]
        node.kill()
    assert gone(left)


async def test_many_at_once(inside: LockedIn) -> None:
    results = await asyncio.gather(*(inside.act("compute") for _ in range(12)))
    assert results == [SEEN] * 12
    open_now = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(inside.act("compute") for _ in range(5)))
    assert len(os.listdir("/proc/self/fd")) == open_now


async def test_what_the_fork_server_cannot_do_is_not_left_out(
    inside: LockedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealane.node.sandbox.fork_server.readable_paths", lambda extra: [7])  # no path
    with locked_in(inside.sandbox.server.offer) as broken, pytest.raises(RefusedError) as caught:
        await broken.act("compute")
    assert caught.value.code == "sandbox.not-locked"


async def test_it_is_the_confinement_that_keeps_files_shut(tmp_path: Path) -> None:
    """Without any, the same acts succeed: the tests of what is refused can fail."""
    (tmp_path / "key").write_bytes(b"k" * 32)
    with locked_in(Offer()) as open_one:
        assert await open_one.act("read", tmp_path / "key") == {"read": 32}
        assert (await open_one.act("compute"))["rows"] == 12
        with pytest.raises(RefusedError) as caught:
            await open_one.act("memory", size=400 << 20)
        assert caught.value.code == "sandbox.memory-exceeded"


async def test_a_fork_server_that_does_not_answer_is_told_and_tried_again(
    inside: LockedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locked_in(inside.sandbox.server.offer) as slow:
        monkeypatch.setattr("sealane.node.sandbox.fork_server.START_SECONDS", 0.01)
        with pytest.raises(UnavailableError) as caught:
            await slow.act("compute")
        assert caught.value.code == "sandbox.not-started"
        monkeypatch.undo()
        assert (await slow.act("compute"))["rows"] == 12
        slow.sandbox.server.close()
        with pytest.raises(UnavailableError) as caught:
            await slow.act("compute")
        assert caught.value.code == "sandbox.closed"


async def test_processor_time_of_the_child_is_told(inside: LockedIn) -> None:
    told: list[int] = []
    await inside.act("burn", size=300, used=told.append)
    assert len(told) == 1
    assert 0.3e6 <= told[0] < 3e6


@pytest.mark.parametrize(("act", "limits", "code"), [
    ("burn-and-refuse", {}, "model.too-few-rows"), ("burn", {"cpu_seconds": 1}, "sandbox.cpu-exceeded"),
])
async def test_processor_time_counts_though_nothing_is_returned(inside: LockedIn, act: str, limits: dict[str, Any],
                                                                code: str) -> None:
    told: list[int] = []
    with pytest.raises(SealaneError) as caught:
        await inside.act(act, size=300 if act == "burn-and-refuse" else 30_000, used=told.append, **limits)
    assert caught.value.code == code
    (used,) = told
    assert used >= (300_000 if act == "burn-and-refuse" else 900_000)


async def test_processor_time_of_what_is_called_off_counts(inside: LockedIn) -> None:
    told: list[int] = []
    running = asyncio.ensure_future(inside.act("burn", size=30_000, used=told.append))
    await asyncio.sleep(0.7)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (used,) = told
    assert used >= 100_000
