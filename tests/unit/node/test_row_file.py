"""Rows in a file without a name: what is read of it is what was laid down, and it is not held."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sealane.computations.room import room_for
from sealane.errors import ProtocolError, RefusedError, UnavailableError
from sealane.governance.contract import Contract, infer_contract, load_contract
from sealane.node.execution import Unconfined
from sealane.node.row_file import FiledRows, Laid, chunks_of, lay_down
from sealane.simulation.parties import FrameDataset

CONTRACT = load_contract(b"""
id = "test.mixed/v1"
fields = [{name = "income", type = "number", minimum = -10, maximum = 1e6, nullable = true},
          {name = "loans", type = "integer", minimum = 0, maximum = 100, nullable = true},
          {name = "years", type = "integer", minimum = 0, maximum = 100},
          {name = "bad", type = "boolean"},
          {name = "grade", type = "category", allowed = ["B", "A", "NA"], nullable = true},
          {name = "opened", type = "date", nullable = true}]
""")
FRAME = pd.DataFrame({
    "income": [1.5, np.nan, -0.1], "loans": [3.0, np.nan, 0.0], "years": np.array([7, 0, 99]),
    "bad": np.array([0, 1, 1]), "grade": pd.Series(["A", None, "NA"], dtype=object),
    "opened": pd.to_datetime(["2026-01-01", None, "1969-12-31T23:59:59.5"], format="ISO8601"),
}).astype({"opened": "datetime64[ns]"})


def laid_down(path: Path, frame: pd.DataFrame = FRAME, contract: Contract = CONTRACT, size: int = 2) -> Laid:
    return lay_down(path, contract, list(frame), (frame.iloc[at : at + size] for at in range(0, len(frame), size)))


def test_a_frame_comes_back_as_it_was(tmp_path: Path) -> None:
    read = FiledRows(laid_down(tmp_path), CONTRACT)
    pd.testing.assert_frame_equal(read.frame(list(FRAME)), FRAME)
    pd.testing.assert_frame_equal(read.frame(["grade", "years"]), FRAME[["grade", "years"]])
    assert read.rows == 3
    assert list(tmp_path.iterdir()) == []  # it has no name


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    read = FiledRows(laid_down(tmp_path, FRAME.iloc[:0]), CONTRACT)
    assert len(read.frame(list(FRAME))) == 0


def test_rows_cannot_be_changed_and_room_lies_behind_them(tmp_path: Path) -> None:
    read = FiledRows(laid_down(tmp_path), CONTRACT)
    first = room_for(read, (3, 2), np.dtype(np.float32))
    second = room_for(read, (3,), np.dtype(np.int64))
    assert not first.any()
    assert not second.any()
    first[:], second[:] = 1.5, -1
    assert (first == 1.5).all()
    pd.testing.assert_frame_equal(read.frame(list(FRAME)), FRAME)
    with pytest.raises(ValueError, match="read-only"):
        read._words[0, 0] = 1
    with pytest.raises(RefusedError) as caught:
        room_for(read, (3, 6), np.dtype(np.float64))
    assert caught.value.code == "rows.room-exceeded"


def test_other_columns_are_refused(tmp_path: Path) -> None:
    read = FiledRows(laid_down(tmp_path, FRAME[["income"]]), CONTRACT)
    with pytest.raises(RefusedError) as caught:
        read.frame(["years"])
    assert caught.value.code == "sandbox.column-not-declared"


def test_a_level_that_was_never_checked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError) as caught:
        laid_down(tmp_path, FRAME[["grade"]].replace("NA", "CANARY-8842"))
    assert caught.value.code == "rows.unchecked"
    assert "CANARY" not in str(caught.value.to_dict())


def test_a_full_disk_is_told_before_anything_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UnavailableError) as caught:
        laid_down(tmp_path)
    assert (caught.value.code, caught.value.got) == ("rows.disk", "ENOSPC")
    assert len(os.listdir("/proc/self/fd")) == len(before)


class Reading:
    """A computation that says what it was given."""

    def columns(self, params: object) -> list[str]:
        return ["x"]

    async def run(self, data: Any, cohort: object, params: object) -> dict[str, Any]:
        return {"filed": isinstance(data, FiledRows), "sum": float(data.frame(["x"])["x"].sum())}


@pytest.mark.parametrize("filed", [False, True])
async def test_a_node_without_a_sandbox_reads_from_the_file_too(tmp_path: Path, filed: bool) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.5]})
    admission: Any = SimpleNamespace(computation=Reading(), parameters=None)
    data, cohort = FrameDataset(infer_contract({"a": frame}), frame), SimpleNamespace()
    found = await Unconfined(tmp_path if filed else None).compute(admission, data, cohort, "r")  # type: ignore[arg-type]
    assert found == {"filed": filed, "sum": 3.5}


def test_what_is_laid_down_is_not_held(tmp_path: Path) -> None:
    import tracemalloc

    rows = np.random.default_rng(0).random((200_000, 10))
    frame = pd.DataFrame(rows, columns=[f"x{k}" for k in range(10)])
    data = FrameDataset(infer_contract({"a": frame}), frame)
    chunks = chunks_of(data, list(frame))
    first = next(chunks)
    tracemalloc.start()
    try:
        laid = lay_down(tmp_path, data.contract, list(frame), chunks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows.nbytes / 5
    assert laid.rows == len(rows) - len(first)
