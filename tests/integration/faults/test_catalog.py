"""The catalog when nodes come and go: what a node decided while it was away holds as soon as it is back."""

from __future__ import annotations

import pytest
from disturbed import NODES, Scene

from sealane.governance.catalog_query import CatalogQuery
from sealane.node.control import call

pytestmark = pytest.mark.integration


def listed(scene: Scene) -> list[str]:
    entries = scene.federation.local.analyst.session.catalog(CatalogQuery(), {})
    return [f"{e.publication.node}/{e.publication.dataset}" for e in entries]


def await_listed(scene: Scene, wanted: list[str]) -> None:
    def ask() -> None:
        assert listed(scene) == wanted

    scene.federation.eventually(ask)


def test_decided_while_away_and_said_after_the_hello(scene: Scene) -> None:
    federation = scene.federation
    first, second = sorted(NODES[1:3])
    homes = federation.local.homes
    assert call(homes[first], "dataset.publish", {"name": "rows"})["sent"] is True
    await_listed(scene, [f"{first}/rows"])
    federation.kill(first, second)
    assert listed(scene) == [f"{first}/rows"]  # a node that is away is still described
    assert call(homes[first], "dataset.unpublish", {"name": "rows"})["sent"] is False
    assert call(homes[second], "dataset.publish", {"name": "rows", "terms": ["Aggregates only."]})["sent"] is False
    federation.start(first, second)
    await_listed(scene, [f"{second}/rows"])
    federation.kill("coordinator")
    federation.start("coordinator")
    await_listed(scene, [f"{second}/rows"])
    federation.await_connected(*NODES)
    call(homes[second], "dataset.unpublish", {"name": "rows"})
    await_listed(scene, [])
