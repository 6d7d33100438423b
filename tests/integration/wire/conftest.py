"""A serving coordinator with its real ports, and identities enrolled with it, for a client that writes raw bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from raw_stream import Raw, Town, build_town

from sealane.coordinator.serve import serving


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A coordinator that serves; whatever a test did to it, it must serve an honest node afterwards."""
    town, home = await build_town(tmp_path)
    async with serving(home) as hub:
        town.hub = hub
        yield town
        async with Raw(town.identity("west")) as honest:
            await honest.hello()
            assert town.node("west").fingerprint in hub.connections
