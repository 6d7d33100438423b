"""What every test needs done first."""

from __future__ import annotations

import sealane  # noqa: F401 — before any test imports grpc, which is then held to TLS 1.3
