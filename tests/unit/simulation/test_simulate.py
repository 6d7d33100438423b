"""What a person at a prompt relies on: the caller's own thread, a contract to look at, a trace, typed errors."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations import registry
from sealane.computations.statistics.describe import Describe
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import Contract, Field
from sealane.simulation.loops import run_here

NAMES = ("north", "south", "west")


def frames() -> dict[str, pd.DataFrame]:
    """Forty rows each: 0 to 39 and an institution's own offset, so that every total is known by hand."""
    return {name: pd.DataFrame({"x": np.arange(40) + 100 * k, "bad": np.arange(40) % 2})
            for k, name in enumerate(NAMES)}


def test_the_computation_runs_in_the_callers_thread_and_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a breakpoint in it stops here, with the caller's frames above."""
    found: list[tuple[threading.Thread, bool]] = []

    class Watched(Describe):
        async def run(self, data: Any, cohort: Any, params: Any) -> Any:
            frame, names = sys._getframe(), []
            while frame is not None:
                names.append(frame.f_code.co_name)
                frame = frame.f_back  # type: ignore[assignment]
            caller = "test_the_computation_runs_in_the_callers_thread_and_stack"
            found.append((threading.current_thread(), caller in names))
            return await super().run(data, cohort, params)

    monkeypatch.setitem(registry._BUILT_IN, "statistics.describe", Watched())
    before = threading.active_count()
    sealane.simulate(frames()).run("statistics.describe", columns=["x"])
    assert found == [(threading.current_thread(), True)] * 3
    assert threading.active_count() == before


def test_the_result_and_its_trace() -> None:
    fed = sealane.simulate(frames())
    result = fed.run("statistics.describe", columns=["x"])
    assert result.rows == 120
    assert set(result.trace.cohort) == set(NAMES) == set(result.trace.bytes_sent)
    assert result.trace.rounds >= 1
    assert all(count > 0 for count in result.trace.bytes_sent.values())
    assert 0 < result.trace.seconds < 20
    assert len(result.trace.study_hash) == 64


@pytest.mark.parametrize("given", [True, False])
def test_an_institution_that_lacks_a_column_is_named(given: bool) -> None:
    contract = sealane.simulate(frames()).contract if given else None
    fewer = frames() | {"south": frames()["south"].drop(columns="bad")}
    fed = sealane.simulate(fewer, contract=contract)
    with pytest.raises(InputError) as caught:
        fed.run("statistics.describe", columns=["x", "bad"])
    assert caught.value.code == "simulation.column-absent"
    assert "'bad'" in str(caught.value)
    assert caught.value.got == "none at south"
    assert fed.run("statistics.describe", columns=["x"]).rows == 120


def test_the_inferred_contract_can_be_looked_at() -> None:
    contract = sealane.simulate(frames()).contract
    assert contract.id == "simulation.inferred/v1"
    assert {f.name: (f.type, f.minimum, f.maximum) for f in contract.fields} == {
        "x": ("integer", 0, 239), "bad": ("boolean", 0, 1)}


def test_a_contract_that_is_given_is_the_one_used() -> None:
    given = Contract(id="test.rows/v1", title="t", fields=(
        Field(name="x", type="integer", minimum=0, maximum=1000), Field(name="bad", type="boolean")))
    fed = sealane.simulate(frames(), contract=given)
    assert fed.contract is given
    assert fed.run("statistics.describe", columns=["x"]).rows == 120
    with pytest.raises(InputError) as caught:
        fed.run("statistics.describe", columns=["y"])
    assert caught.value.code == "contract.unknown-field"


@pytest.mark.parametrize("name", ["North", "", "n o", "../n"])
def test_an_institution_has_a_legal_name(name: str) -> None:
    with pytest.raises(InputError) as caught:
        sealane.simulate({name: frames()["north"], "south": frames()["south"]})
    assert caught.value.code == "name.malformed"


def test_an_error_leaves_the_running_loop_as_it_was() -> None:
    async def cell() -> None:
        loop = asyncio.get_running_loop()
        fed = sealane.simulate(frames())
        with pytest.raises(InputError):
            fed.run("statistics.sumary", columns=["x"])
        with pytest.raises(InputError):
            fed.run("statistics.describe", columns=["y"])
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        await asyncio.sleep(0)

    async def main() -> None:
        nonlocal task
        task = asyncio.create_task(cell())
        await task

    task: asyncio.Task[None] | None = None
    asyncio.run(main())


def test_work_runs_here_with_or_without_a_loop() -> None:
    async def where() -> int:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return threading.get_ident()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise RefusedError("study.revoked", "no")

    async def outer() -> tuple[int, bool]:
        loop = asyncio.get_running_loop()
        with pytest.raises(RefusedError):
            run_here(fails())
        return run_here(where()), asyncio.get_running_loop() is loop

    assert run_here(where()) == threading.get_ident()
    assert asyncio.run(outer()) == (threading.get_ident(), True)


def test_what_is_no_frame_is_refused_by_name() -> None:
    with pytest.raises(InputError) as caught:
        sealane.simulate({"north": [1, 2], "south": [3]})  # type: ignore[dict-item]
    assert caught.value.code == "simulation.not-a-frame"
    assert "hint" not in str(caught.value)
