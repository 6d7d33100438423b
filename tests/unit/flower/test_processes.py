"""Processes that do not come up, and frames that are none."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

pytest.importorskip("flwr")

from tests.support.flower_apps import expected_error, write_app

from sealane.flower import frames
from sealane.flower.processes import Processes, seats


def test_a_frame_comes_whole_or_not_at_all() -> None:
    ours, theirs = frames.pair()
    with ours, theirs:
        frames.send(ours, b"one")
        frames.send(ours, b"")
        assert (frames.receive(theirs), frames.receive(theirs)) == (b"one", b"")
        ours.sendall(struct.pack(">Q", 10) + b"half")
        ours.close()
        assert frames.receive(theirs) is None


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    ours, theirs = frames.pair()
    with ours, theirs:
        ours.sendall(struct.pack(">Q", frames.MOST + 1))
        with expected_error("flower.frame-too-large"):
            frames.receive(theirs)


def test_a_client_half_that_does_not_load_says_so_from_its_process(tmp_path: Path) -> None:
    app = write_app(tmp_path, "unloadable")
    (app / "unloadable" / "client_app.py").write_text("import a_module_that_nobody_has")
    with expected_error("flower.cannot-load", got="a_module_that_nobody_has"), Processes(seats(str(app), 1, {})):
        pass


def test_a_process_that_does_not_come_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with expected_error("flower.node-not-ready", got="node-1"), Processes(seats("none", 2, {})):
        pass
