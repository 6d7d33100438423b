"""What a reader sees of a step, of one that went wrong, and of the command as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import run

from sealane.cli.governance_demo import walk as walks
from sealane.cli.governance_demo.step import Step
from sealane.cli.governance_demo.view import WIDTH, step_text
from sealane.cli.governance_demo.walk import Walk
from sealane.errors import UnavailableError

STEP = Step("sign", "the stewards", "sign it", ("sealane study approve 3fa9c2d1",), ("north: " + "signed " * 30,), True,
            {"files": []})


def test_a_step_shows_command_and_outcome_within_the_width() -> None:
    lines = step_text(7, STEP).splitlines()
    assert lines[0].endswith("7. the stewards: sign it\x1b[0m")
    assert "   $ sealane study approve 3fa9c2d1" in lines[1]
    assert len(lines) > 3
    assert all(len(line) <= WIDTH for line in lines[2:])


@pytest.mark.parametrize("ok", [True, False])
def test_what_went_wrong_is_said(ok: bool) -> None:
    shown = step_text(1, Step("run", "the analyst", "run it", (), (), ok, {}))
    assert ("not what should have happened" in shown) is not ok


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "temporary"
    where.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(where))
    return where


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 4)])
def test_the_exit_code_says_whether_every_step_was_as_it_should_be(
    ok: bool, code: int, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(root: Path, folder: Path, say: Callable[[str], None], tell: Callable[[int, Step], None]) -> Walk:
        return Walk((Step("export", "the auditor", "export", (), (), ok, {"files": []}),), 1.0)

    monkeypatch.setattr(walks, "walk", fake)
    done = run("demo", "governance", "--json", "--out", tmp_path / "out")
    assert (done.code, done.document["ok"], [one["ok"] for one in done.document["steps"]]) == (code, ok, [ok])
    assert list(temporary.iterdir()) == []


def test_a_walk_that_breaks_off_leaves_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(root: Path, folder: Path, say: Callable[[str], None], tell: Callable[[int, Step], None]) -> Walk:
        (folder / "half").write_text("written")
        raise UnavailableError("run.node-lost", "a node was lost")

    monkeypatch.setattr(walks, "walk", fails)
    done = run("demo", "governance", "--json", "--out", tmp_path / "out")
    assert (done.code, done.error["code"]) == (75, "run.node-lost")
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()
