"""A serving coordinator with its real ports, and identities enrolled with it, for a client that writes raw bytes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from raw_stream import Raw, Town, build_town, open_town

from sealane.coordinator.serve import serving


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town that nobody serves: every test gets a copy."""
    path = tmp_path_factory.mktemp("town") / "model"
    asyncio.run(build_town(path))
    return path


@pytest.fixture
async def town(model: Path, tmp_path: Path) -> AsyncIterator[Town]:
    """A coordinator that serves; whatever a test did to it, it must serve an honest node afterwards."""
    shutil.copytree(model, tmp_path / "town")
    town = open_town(tmp_path / "town")
    async with serving(town.home.home) as town.hub:
        yield town
        async with Raw(town.identity("west")) as honest:
            await honest.hello()
            assert town.node("west").fingerprint in town.hub.connections
