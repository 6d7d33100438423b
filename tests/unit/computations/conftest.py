"""A cohort in memory: n coroutines on one loop, sums in exact integers, every declared bound checked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.computations.base import Computation, Term
from sealane.core.canonical import canonical_bytes
from sealane.governance.contract import Contract, infer_contract

RING = 128
FRACTION = 56
"""The fewest fractional bits that the contract of ``real`` promises: what works here works in any ring."""


class Rows:
    """A dataset that reads only the columns it is asked for."""

    def __init__(self, contract: Contract, frame: pd.DataFrame) -> None:
        self.contract = contract
        self._frame = frame

    def frame(self, columns: Any) -> pd.DataFrame:
        return self._frame[list(columns)].copy()


class Meeting:
    """Where the nodes of a run meet: what they say of a sum must be the same, and its total is exact."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.waiting: dict[str, Any] = {}
        self.done: asyncio.Future[Any] | None = None
        self.sums = 0
        self.agreements = 0

    async def meet(self, name: str, value: Any, settle: Callable[[dict[str, Any]], Any]) -> Any:
        self.done = self.done or asyncio.get_running_loop().create_future()
        future = self.done
        assert name not in self.waiting
        self.waiting[name] = value
        if len(self.waiting) == len(self.names):
            everyone = {name: self.waiting[name] for name in self.names}
            self.waiting, self.done = {}, None
            future.set_result(settle(everyone))
        return await asyncio.shield(future)

    def add(self, everyone: dict[str, Mapping[str, Term]]) -> dict[str, np.ndarray]:
        self.sums += 1
        first = everyone[self.names[0]]
        for terms in everyone.values():
            described = {k: (t.kind, t.bound, t.values.shape) for k, t in terms.items()}
            assert described == {k: (t.kind, t.bound, t.values.shape) for k, t in first.items()}
        out = {}
        for key, term in first.items():
            parts = [terms[key].values.reshape(-1).tolist() for terms in everyone.values()]
            assert all(abs(value) <= term.bound for part in parts for value in part), f"{key} crosses its bound"
            if term.kind == "count":
                total = np.array([sum(column) for column in zip(*parts, strict=True)], dtype=np.int64)
            else:
                integer_bits = 2 + max(0, math.frexp(term.bound * len(parts))[1])
                assert integer_bits + FRACTION <= RING, f"{key}: no ring holds a bound of {term.bound}"
                scaled = [[int(Fraction(value) * 2**FRACTION) for value in part] for part in parts]
                total = np.array([float(Fraction(sum(column), 2**FRACTION)) for column in zip(*scaled, strict=True)])
            out[key] = total.reshape(term.values.shape)
        return out

    def settle(self, everyone: dict[str, np.ndarray]) -> np.ndarray:
        self.agreements += 1
        chosen = everyone[self.names[0]]
        for values in everyone.values():
            assert np.isfinite(values).all()
            assert np.abs(values - chosen).max() <= 1e-9 * np.abs(chosen).max()
        return chosen.copy()


class MemoryCohort:
    def __init__(self, meeting: Meeting, name: str, minimum_count: int, exposed: bool,
                 run: str) -> None:
        self._meeting, self._name, self.minimum_count, self.exposed = meeting, name, minimum_count, exposed
        self.size, self.smallest, self.run = len(meeting.names), 1, run
        self.names, self.place = tuple(meeting.names), meeting.names.index(name)
        self.honest = max(self.size - 1, 1)  # noise is left out here: sums are exact

    async def sum(self, terms: Mapping[str, Term]) -> dict[str, np.ndarray]:
        total = await self._meeting.meet(self._name, terms, self._meeting.add)
        return {key: values.copy() for key, values in total.items()}

    async def agree(self, values: np.ndarray) -> np.ndarray:
        return (await self._meeting.meet(self._name, values, self._meeting.settle)).copy()


def run_in_memory(
    frames: Mapping[str, pd.DataFrame], computation: Computation[Any], params: Mapping[str, Any], *,
    contract: Contract | None = None, minimum_count: int = 10, meeting: Meeting | None = None, exposed: bool = False,
    run: str = "r-test",
) -> Any:
    """Run at every institution, check that all release the same bytes, and return the presented result."""
    contract = contract or infer_contract(frames)
    meeting = meeting or Meeting(list(frames))
    checked = computation.parameters.model_validate(dict(params))

    async def everyone() -> list[Any]:
        tasks = [
            asyncio.ensure_future(
                computation.run(Rows(contract, frame), MemoryCohort(meeting, name, minimum_count, exposed, run),
                                checked))
            for name, frame in frames.items()
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    payloads = asyncio.run(everyone())
    assert len({canonical_bytes(payload) for payload in payloads}) == 1
    return computation.present(payloads[0])


@pytest.fixture(scope="session")
def run_pooled() -> Callable[..., Any]:
    return run_in_memory


@pytest.fixture(scope="session")
def new_meeting() -> Callable[[list[str]], Meeting]:
    return Meeting
