"""The file of an attempt's sums: what is on disk before anything leaves, and what a crash may take away."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealane.core.octets import whole
from sealane.core.secret import Secret
from sealane.errors import ProtocolError, UnavailableError
from sealane.node import steps as module
from sealane.node.steps import Steps

HASH, DIGEST, SEED = b"h" * 32, b"d" * 32, Secret(b"s" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r.0.steps"


def new(path: Path) -> Steps:
    steps = Steps(path)
    steps.make()
    return steps


def fill(steps: Steps, sums: int) -> None:
    for number in range(1, sums + 1):
        steps.sent(number, HASH, SEED, bytes([number]) * 50)
        steps.opened(number, DIGEST, bytes([number]) * (40 + number))


def test_what_was_sent_is_there_after_a_kill_and_what_was_opened_with_the_next(path: Path) -> None:
    fill(new(path), 3)
    again = Steps(path)
    for number in (1, 2):
        step = again.get(number)
        assert step is not None
        assert step.total is not None
        assert (step.description_hash, step.seed, step.digest) == (HASH, SEED, DIGEST)
        assert whole(again.held(step.payload)) == bytes([number]) * 50
        assert whole(again.held(step.total)) == bytes([number]) * (40 + number)
    last = again.get(3)
    assert last is not None
    assert (last.total, last.digest) == (None, None)
    assert whole(again.held(last.payload)) == bytes([3]) * 50
    assert (again.opened_count(), again.newest) == (2, 2)
    assert again.get(4) is None


def test_settled_totals_are_there_too(path: Path) -> None:
    steps = new(path)
    fill(steps, 2)
    steps.settle()
    assert Steps(path).opened_count() == 2


def test_a_read_goes_on_where_the_file_grows(path: Path) -> None:
    steps = new(path)
    for number in (1, 2):
        steps.sent(number, HASH, SEED, bytes([number]) * 50)
        step = steps.get(number)
        assert step is not None
        assert whole(steps.held(step.payload)) == bytes([number]) * 50


def test_nobody_else_can_read_it(path: Path) -> None:
    fill(new(path), 1)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_contribution_for_a_round_is_not_written(path: Path) -> None:
    steps = new(path)
    fill(steps, 1)
    with pytest.raises(ProtocolError) as caught:
        steps.sent(1, HASH, SEED, b"other")
    assert caught.value.code == "run.illegal-transition"


@given(st.data())
def test_a_torn_tail_takes_the_last_write_and_no_other(tmp_path_factory: pytest.TempPathFactory,
                                                       data: st.DataObject) -> None:
    """Cut anywhere, or with pages that never came: the last write is there or gone as a whole."""
    path = tmp_path_factory.mktemp("torn") / "r.0.steps"
    steps = new(path)
    fill(steps, 2)
    kept = path.stat().st_size
    steps.sent(3, HASH, SEED, b"3" * 50)  # with the total of the second
    written = path.read_bytes()
    cut, blank = (data.draw(st.integers(kept, len(written)), name) for name in ("cut", "blank from"))
    torn = written[:cut][:blank].ljust(cut, b"\0")
    path.write_bytes(torn)
    again = Steps(path, made=True)
    assert (again.opened_count(), again.get(3) is None) == ((1, True) if torn != written else (2, False))
    second = again.get(2)
    assert second is not None
    if torn != written:
        again.sent(3, HASH, SEED, b"4" * 50)
        third = Steps(path).get(3)
        assert third is not None
        assert whole(again.held(third.payload)) == b"4" * 50


@given(st.data())
def test_damage_in_the_middle_is_no_torn_tail(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut off there, the node would contribute to rounds a second time."""
    path = tmp_path_factory.mktemp("damaged") / "r.0.steps"
    steps = new(path)
    fill(steps, 3)
    last = path.stat().st_size
    steps.sent(4, HASH, SEED, b"4" * 50)
    changed = bytearray(path.read_bytes())
    changed[data.draw(st.integers(0, last - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed)
    with pytest.raises(UnavailableError) as caught:
        Steps(path)
    assert caught.value.code == "node.spool-lost"


def test_a_file_that_is_gone_is_not_begun_anew(path: Path) -> None:
    fill(new(path), 1)
    path.unlink()
    with pytest.raises(UnavailableError) as caught:
        Steps(path, made=True)
    assert caught.value.code == "node.spool-lost"


def test_a_full_disk_leaves_nothing_behind_and_the_next_try_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = new(path)
    fill(steps, 2)
    before = path.stat().st_size

    def half(handle: int, data: bytes) -> None:
        os.write(handle, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def full(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_all", half)
        with pytest.raises(UnavailableError) as caught:
            steps.sent(3, HASH, SEED, b"3" * 50)
        assert caught.value.code == "disk.full"
        assert path.stat().st_size == before
    with monkeypatch.context() as patch:
        patch.setattr(module.Steps, "_cut", full)  # nor can the file be made shorter
        patch.setattr(module, "write_all", half)
        with pytest.raises(UnavailableError):
            steps.sent(3, HASH, SEED, b"3" * 50)
    steps.sent(3, HASH, SEED, b"4" * 50)
    again = Steps(path)
    step = again.get(3)
    assert step is not None
    assert whole(again.held(step.payload)) == b"4" * 50
    assert again.opened_count() == 2
