"""What every test needs done first."""

from __future__ import annotations

import sys
from pathlib import Path

import sealane  # noqa: F401 — before any test imports grpc, which is then held to TLS 1.3

# What several folders of tests share lies in files of its own, imported by name.
sys.path.insert(0, str(Path(__file__).with_name("support")))
