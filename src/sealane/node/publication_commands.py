"""What a data steward says to the catalog, as commands of a node."""

from __future__ import annotations

from typing import Any

from sealane.core.canonical import parse_canonical
from sealane.governance.catalog_statement import CatalogStatement
from sealane.node import grading
from sealane.node.place import Place
from sealane.node.publications import Description, publish, published, unpublish


def dataset_publish(place: Place, *, name: str, title: str = "", description: str = "",
                    keywords: list[str] | None = None, purposes: list[str] | None = None,
                    terms: list[str] | None = None, steward: str | None = None,
                    fresh_until: str | None = None, minimum_count: int = 10) -> dict[str, Any]:
    """Publish metadata of a graded dataset, and let the coordinator know at once if there is a connection."""
    grade = grading.publish(place.register, name)
    said = Description(title, description, keywords or (), purposes or (), terms or (), steward, grade, fresh_until,
                       minimum_count)
    return _said(place, publish(place.home, place.register.dataset(name), said))


def dataset_unpublish(place: Place, *, name: str) -> dict[str, Any]:
    """Withdraw a dataset from the catalog, and let the coordinator know at once if there is a connection."""
    place.register.lives.unpublish(name)
    return _said(place, unpublish(place.home, name))


def dataset_published(place: Place) -> list[dict[str, Any]]:
    """List what is published now, and whether it is what is registered."""
    registered = {entry.name: entry.version for entry in place.register.datasets()}
    return [{**one.model_dump(mode="json"), "current": registered.get(one.dataset) == one.dataset_version}
            for one in published(place.home)]


def _said(place: Place, statement: CatalogStatement) -> dict[str, Any]:
    connected = place.agent is not None and place.agent.connected
    if place.agent is not None and connected:
        place.agent.post(statement)
    return {**parse_canonical(statement.body), "sent": connected}
