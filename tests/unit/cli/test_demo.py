"""What a demo says when a part of it fails, and what it leaves behind: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import Done, run

from sealane.cli import example_data, local_federation
from sealane.cli.example_data import find_example
from sealane.cli.finance_demo import walk
from sealane.cli.local_federation import READY_SECONDS
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError

NO_TABLES: dict[str, Path] = {}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    where = tmp_path / "temporary"
    where.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(where))
    return where


def child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let the example package be another program, which is run for real."""
    real = subprocess.run

    def instead(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert list(command[:3]) == [sys.executable, "-m", "sealane_examples"]
        return real([sys.executable, "-c", program], **options)

    monkeypatch.setattr(example_data.subprocess, "run", instead)


def demo(out: Path) -> Done:
    return run("demo", "finance", "--json", "--out", out)


def refused(act: Any) -> SealaneError:
    with pytest.raises(SealaneError) as caught:
        act()
    return caught.value


def test_a_demo_that_no_package_offers() -> None:
    error = refused(lambda: find_example("astrology"))
    assert (error.code, error.got, type(error)) == ("demo.unknown", "astrology", InputError)
    assert "finance" in str(error.expected)
    assert "sealane[examples]" in str(error.hint)
    assert find_example("finance").name == "finance"


@pytest.mark.parametrize(("program", "got"), [
    ("import sys; print('half', end=''); sys.exit('Traceback\\nModuleNotFoundError: no such data package')",
     "ModuleNotFoundError: no such data package"),
    ("import os; os._exit(9)", ""),
    ("import sys; print('{\"error\": 7}', file=sys.stderr); sys.exit(1)", '{"error": 7}'),
    ("import sys; sys.exit('x' * 1000)", "x" * 200),
    ("print('a warning of some package')", "a warning of some package"),
    ("pass", ""),
])
def test_an_example_package_that_fails(
    program: str, got: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, program)
    done = demo(tmp_path / "out")
    assert (done.code, done.error["code"], done.error["got"]) == (2, "demo.child-failed", got)
    assert "sealane[examples]" in done.error["hint"]
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_a_healthcare_example_that_fails_leaves_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, "import sys; sys.exit('ModuleNotFoundError: no such data package')")
    done = run("demo", "healthcare", "--json", "--out", tmp_path / "out")
    assert (done.code, done.error["code"]) == (2, "demo.child-failed")
    assert done.error["got"] == "ModuleNotFoundError: no such data package"
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["heart-disease", "breast-cancer", "dialysis", "adverse-events", "outbreak"])
def test_examples_of_healthcare_are_found(name: str) -> None:
    found = find_example(name)
    assert (found.name, found.sector) == (name, "healthcare")
    assert found.contract.startswith("healthcare.")


def test_an_error_that_the_example_package_explains(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = RefusedError("example.changed", "the data are not what they were", got="a", expected="b", hint="c").to_dict()
    child(monkeypatch, "import json, sys; print('noise', file=sys.stderr); "
          f"sys.exit(json.dumps({{'error': {said!r}}}))")
    done = demo(tmp_path / "out")
    assert (done.code, {**done.error}) == (3, said)
    assert list(temporary.iterdir()) == []


def test_an_example_package_that_takes_too_long(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(example_data, "CHILD_SECONDS", 0.3)
    began = time.monotonic()
    done = demo(tmp_path / "out")
    assert (done.code, done.error["code"], done.error["expected"]) == (75, "demo.child-timeout", "within 0.3 s")
    assert time.monotonic() - began < 20
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("keep", [False, True])
def test_homes_and_keys_go_whatever_happens_unless_kept(
    keep: bool, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(root: Path, teller: object, *, fraud: bool) -> dict[str, Any]:
        (root / "north" / "identity").mkdir(parents=True)
        (root / "north" / "identity" / "signing.key").write_bytes(b"k" * 32)
        raise UnavailableError("run.node-lost", "a node was lost")

    monkeypatch.setattr(walk, "finance", fails)
    done = run("demo", "finance", "--json", "--out", tmp_path / "out", *(["--keep"] if keep else []))
    assert (done.code, done.error["code"]) == (75, "run.node-lost")
    left = list(temporary.iterdir())
    assert len(left) == keep
    if keep:
        assert f"homes and logs: {left[0]}" in done.err
        assert left[0].stat().st_mode & 0o777 == 0o700
        assert (left[0] / "north" / "identity" / "signing.key").exists()


# Processes of a federation


@pytest.mark.parametrize("program", ["import sys; sys.exit('no')", "import time; time.sleep(60)"],
                         ids=["it ends", "it hangs"])
def test_a_process_that_does_not_come_up(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def instead(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        assert command[3:5] == ["coordinator", "serve"]
        started.append(real([sys.executable, "-c", program], **options))
        return started[-1]

    monkeypatch.setattr(local_federation.subprocess, "Popen", instead)
    monkeypatch.setattr(local_federation, "READY_SECONDS", min(READY_SECONDS, 1.5))
    federation = local_federation.local_federation(tmp_path, NO_TABLES, "finance.credit-application/v1")
    error = refused(federation.__enter__)
    assert (error.code, type(error)) == ("demo.process-failed", UnavailableError)
    assert error.message == "coordinator did not come up"
    assert str(tmp_path) in str(error.hint)
    process, = started
    assert process.returncode is not None  # stopped and waited for
    assert process.stdout is not None
    assert process.stdout.closed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_of_the_end_leaves_nothing(number: signal.Signals) -> None:
    """In a process of its own: what is raised while a frame is traced leaves traces in the interpreter."""
    done = subprocess.run([sys.executable, "-c", f"import interrupted_end; interrupted_end.main({int(number)})"],
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 30  # moments


def test_free_ports_are_distinct_and_free() -> None:
    import socket

    ports = local_federation.free_ports(5)
    assert len(set(ports)) == 5
    for address in ports:
        host, _, port = address.rpartition(":")
        with socket.socket() as one:
            one.bind((host, int(port)))
