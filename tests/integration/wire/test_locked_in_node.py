"""What a serving node's gate knows of the sandbox: what the host offers, or what the operator chose."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_stream import Town

from sealane.errors import RefusedError
from sealane.node.sandbox import chosen
from sealane.node.sandbox.offer import Offer
from sealane.node.sandbox.probe import probe
from sealane.node.serve import serving

pytestmark = pytest.mark.integration


def demand(home: Path) -> None:
    (home / "settings.toml").write_text("[sandbox]\nmode = 'require'\n")


async def test_studies_that_demand_a_sandbox_are_let_in_only_where_there_is_one(town: Town) -> None:
    async with serving(town.path / "north") as agent:
        assert agent.home.sandboxed == agent.execution.full == probe().full
    async with serving(town.path / "north", sandbox="off") as agent:
        assert not agent.home.sandboxed


async def test_settings_and_a_host_that_lacks_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "probe", lambda: Offer(landlock=3, seccomp=True))
    async with serving(town.path / "north") as agent:
        assert not agent.home.sandboxed
    demand(town.path / "north")
    with pytest.raises(RefusedError) as caught:
        async with serving(town.path / "north"):
            pass
    assert caught.value.code == "sandbox.not-offered"
