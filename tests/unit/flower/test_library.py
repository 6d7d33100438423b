"""Which versions of Flower are worked with, and that it tells nobody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.support.flower_apps import expected_error

from sealane.computations.flower_app import library


@pytest.mark.parametrize(("found", "good"), [("1.41.0", True), ("1.42.3", True), ("1.40.0", False), ("1.43.0", False),
                                             ("2.0.0", False), ("1.410.0", False)])
def test_only_tested_versions_are_used(monkeypatch: pytest.MonkeyPatch, found: str, good: bool) -> None:
    if good:
        pytest.importorskip("flwr")
    monkeypatch.setattr("importlib.metadata.version", lambda name: found)
    library.load.cache_clear()
    try:
        if good:
            assert library.load().version == found
        else:
            with expected_error("flower.version", got=found):
                library.load()
    finally:
        library.load.cache_clear()


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    library.load.cache_clear()
    with expected_error("flower.not-installed"):
        library.load()


def test_telemetry_is_off_when_flower_is_loaded() -> None:
    pytest.importorskip("flwr")
    code = """from sealane.computations.flower_app.library import load; load()
from flwr.supercore import telemetry; print(telemetry.FLWR_TELEMETRY_ENABLED)"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLWR_")} | {
        "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "0"


def test_bytes_that_are_no_message_are_an_error_of_ours() -> None:
    pytest.importorskip("flwr")
    for data in (b"", b"\xff\xff", b"not a message"):
        with expected_error("flower.malformed-message", got=f"{len(data)} bytes"):
            library.load().read(data)
