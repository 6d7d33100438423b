"""The mirror of what nodes publish: checked, replaced, gone when withdrawn, and never older than what was said."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from house import KEYS, NODES, House, make_house
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_publication import made
from sqlalchemy import Engine

from sealane.api.catalog.v1 import catalog_pb2 as pb
from sealane.coordinator import catalog_store
from sealane.coordinator.catalog_service import CatalogServicer
from sealane.core.clock import ManualClock
from sealane.errors import ProtocolError, RefusedError
from sealane.governance.catalog_statement import CatalogStatement, SignedPublication
from sealane.governance.publication import Withdrawal, sign_publication, sign_withdrawal, verify_publication
from sealane.rpc.catalog_codec import decode_catalog

NUMBERS = count()


@pytest.fixture
def house(engine: Engine, clock: ManualClock) -> House:
    return make_house(engine, clock)


def published(name: str = "north", **changes: Any) -> SignedPublication:
    publication = made(**changes).model_copy(update={"node": name, "fingerprint": KEYS[name].fingerprint})
    return sign_publication(KEYS[name], publication)


def withdrawn(name: str = "north", sequence: int = 8, dataset: str = "loans") -> CatalogStatement:
    return sign_withdrawal(KEYS[name], Withdrawal(
        node=name, fingerprint=KEYS[name].fingerprint, dataset=dataset, sequence=sequence,
        withdrawn_at="2026-03-03T00:00:00Z"))


def tell(house: House, statement: CatalogStatement, sender: str = "north") -> None:
    house.hub.receive(house.parties[sender], statement, 100)


async def listed(house: House, caller: str = "iris", **filters: str) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = await CatalogServicer(house.hub).ListEntries(pb.ListEntriesRequest(after=after, **filters),
                                                            house.calls(caller))
        for entry in page.entries:
            signed = decode_catalog(entry)
            assert isinstance(signed, SignedPublication)
            said = verify_publication(signed)
            found.append(f"{said.node}/{said.dataset}#{said.sequence}")
        if not page.next:
            return found
        after = page.next


def events(house: House) -> list[tuple[str, str, str]]:
    return [(e.kind, e.party, e.detail) for e in house.hub.store.list_events(0, 99) if "dataset" in e.kind
            or "catalog" in e.kind]


@pytest.mark.parametrize("caller", ["iris", "vera", "south"])
async def test_analysts_auditors_and_nodes_read_what_is_published(house: House, caller: str) -> None:
    tell(house, published())
    tell(house, published("south", dataset="farms", sector="agriculture", contract="agriculture.farm/v1"), "south")
    assert await listed(house, caller) == ["north/loans#7", "south/farms#7"]
    assert await listed(house, caller, sector="finance") == ["north/loans#7"]
    assert await listed(house, caller, text="loans", node="south") == ["south/farms#7"]
    assert events(house) == [("dataset.published", "north", "loans"), ("dataset.published", "south", "farms")]


async def test_strangers_read_nothing(house: House) -> None:
    with pytest.raises(RefusedError):
        await listed(house, "")


async def test_a_later_publication_takes_the_place_of_an_earlier_one(house: House) -> None:
    tell(house, published())
    tell(house, published(sequence=9, rows=2000))
    tell(house, published(sequence=9, rows=2000))  # said again after a hello
    assert await listed(house) == ["north/loans#9"]
    assert len(events(house)) == 2


async def test_withdrawn_is_gone_and_does_not_come_back_by_replay(house: House) -> None:
    first = published()
    tell(house, first)
    tell(house, withdrawn())
    assert await listed(house) == []
    tell(house, first)
    assert await listed(house) == []
    assert events(house)[-1] == ("catalog.refused", "north", "catalog.replayed")
    with pytest.raises(RefusedError) as caught:
        house.hub.store.catalog.take("north", KEYS["north"].fingerprint, first)
    assert caught.value.code == "catalog.replayed"
    tell(house, published(sequence=9))
    assert await listed(house) == ["north/loans#9"]


async def test_of_a_withdrawn_dataset_no_metadata_stays_on_disk(house: House, engine: Engine) -> None:
    tell(house, published(title="marker-of-a-title"))
    tell(house, withdrawn())
    with engine.connect() as db:
        rows = db.execute(catalog_store.catalog.select()).mappings().all()
    assert [(row["dataset"], row["published"]) for row in rows] == [("loans", False)]
    assert b"marker-of-a-title" not in bytes(rows[0]["body"])


def test_a_node_speaks_for_itself_only(house: House) -> None:
    with pytest.raises(ProtocolError) as caught:
        tell(house, published("south"))
    assert caught.value.code == "catalog.statement-of-another"
    forged = replace(published(), body=published(sequence=99).body)
    with pytest.raises(ProtocolError) as caught:
        tell(house, forged)
    assert caught.value.code == "signature.invalid"
    named_otherwise = sign_publication(KEYS["north"], made(sequence=3).model_copy(
        update={"node": "south", "fingerprint": KEYS["north"].fingerprint}))
    with pytest.raises(ProtocolError) as caught:
        tell(house, named_otherwise)
    assert caught.value.code == "catalog.statement-of-another"


async def test_what_a_removed_or_quarantined_node_published_is_not_shown(house: House) -> None:
    tell(house, published())
    tell(house, published("south"), "south")
    house.hub.registry.quarantine("north")
    assert await listed(house) == ["south/loans#7"]
    house.hub.registry.remove("south")
    assert await listed(house) == []


async def test_a_node_speaks_of_so_many_datasets_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_store, "MAXIMUM_DATASETS", 2)
    for name in ("a", "b", "c"):
        tell(house, published(dataset=name))
    assert await listed(house) == ["north/a#7", "north/b#7"]
    assert events(house)[-1] == ("catalog.refused", "north", "catalog.too-many")
    tell(house, withdrawn(dataset="a"))
    assert await listed(house) == ["north/b#7"]


async def test_pages_go_through_everything_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealane.coordinator.catalog_service.PAGE_ENTRIES", 2)
    for name in NODES:
        for dataset in ("a", "b", "c"):
            tell(house, published(name, dataset=dataset), name)
    assert await listed(house) == [f"{n}/{d}#7" for n in sorted(NODES) for d in "abc"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=1, max_size=10))
def test_whatever_the_order_the_highest_sequence_stands(house: House, said: list[tuple[bool, int]]) -> None:
    dataset = f"d{next(NUMBERS)}"  # the store is the same for all examples
    highest, stands = 0, False
    for publishes, sequence in said:
        statement = (published(dataset=dataset, sequence=sequence) if publishes
                     else withdrawn(sequence=sequence, dataset=dataset))
        tell(house, statement)
        if sequence > highest:
            highest, stands = sequence, publishes
    shown = [verify_publication(s) for _, s in house.hub.store.catalog.published()]
    assert [p.sequence for p in shown if p.dataset == dataset] == ([highest] if stands else [])
