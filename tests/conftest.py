"""What every test needs done first."""

from __future__ import annotations

import os
import sys
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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test against published vectors, schemas or shapes that was skipped is one that failed."""
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    left_out = [report.nodeid for report in reporter.stats.get("skipped", []) if "conformance" in report.nodeid]
    if left_out:
        reporter.write_line(f"skipped in CI, where it must not be: {', '.join(left_out)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
