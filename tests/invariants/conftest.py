from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from stage import federation, probe, stage  # noqa: F401 - fixtures

from sealane.telemetry.logs import configure_logging


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged from now on, down to debug."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    configure_logging("debug", stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
