"""What every test needs done first."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import sealane  # noqa: F401 — before any test imports grpc, which is then held to TLS 1.3

# What several folders of tests share lies in files of its own, imported by name.
sys.path.insert(0, str(Path(__file__).with_name("support")))

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("sealane", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sealane")

EXTRAS = re.compile(r"^(?:import|from) (lifelines|lightgbm|matplotlib|patsy|sklearn|statsmodels)\b", re.MULTILINE)
_LEFT_OUT: dict[str, str] = {}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a file, or a folder by its conftest, that needs an extra which is not installed; the end names it."""
    read = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if read.suffix != ".py" or not read.is_file():
        return None
    wanted = EXTRAS.findall(read.read_text(encoding="utf-8"))
    missing = sorted({name for name in wanted if find_spec(name) is None})
    if missing:
        _LEFT_OUT[collection_path.name] = ", ".join(missing)
    return True if missing else None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which files were left out, and for the lack of what."""
    for name, missing in _LEFT_OUT.items():
        terminalreporter.write_line(f"left out: {name} needs {missing}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test against published vectors, schemas or shapes that was skipped is one that failed."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    left_out = [*_LEFT_OUT] if find_spec("statsmodels") else []  # base tests have no extras, all tests have each
    left_out += [report.nodeid for report in reporter.stats.get("skipped", []) if "conformance" in report.nodeid]
    if left_out:
        reporter.write_line(f"skipped in CI, where it must not be: {', '.join(left_out)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
