from __future__ import annotations

from stage import federation, probe, stage  # noqa: F401 - fixtures
