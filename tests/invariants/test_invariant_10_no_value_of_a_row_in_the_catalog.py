"""10. Raw values never appear in the catalog: canaries in every column, and an exact count of rows."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from house import KEYS, make_house
from loans import CONTRACT, loans

from sealane.coordinator.database import open_database
from sealane.core.clock import system_clock
from sealane.errors import SealaneError
from sealane.governance.dcat import dcat_ap
from sealane.governance.dsp_catalog import dsp_catalog
from sealane.governance.publication import verify_publication
from sealane.node.commands import Place, execute
from sealane.node.grading import grade
from sealane.node.home import NodeHome
from sealane.node.publications import announcements
from sealane.node.register import Register
from sealane.rpc.codec import encode_from_node

ROWS = 1237
CANARIES = ("27182.81", "8675309", "31.41")


def home_of(directory: Path) -> NodeHome:
    frame = loans(3, ROWS)
    frame["annual_inc"] = frame["annual_inc"].astype(object)
    frame.loc[5, "annual_inc"] = 27182.81
    frame.loc[6, "annual_inc"] = 8675309
    frame.loc[7, "int_rate"] = 31.41
    frame.to_csv(directory / "loans-of-canaries.csv", index=False)
    key = KEYS["north"]
    made: Any = SimpleNamespace(
        path=directory, clock=system_clock, register=Register(directory / "node.sqlite", key.fingerprint, system_clock),
        identity=lambda: SimpleNamespace(name="north", signing_key=key, fingerprint=key.fingerprint))
    return cast("NodeHome", made)


def test_invariant_10_no_value_of_a_row_reaches_the_catalog(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    place = Place(home)
    added = execute(place, "dataset.add", {"name": "loans", "source": str(tmp_path / "loans-of-canaries.csv"),
                                           "contract": CONTRACT, "drop_invalid": True})
    assert added["report"]["accepted"]
    grade(home.register, "loans", accept=True)
    answered = execute(place, "dataset.publish", {"name": "loans", "terms": ["Aggregates only."]})
    statement, = announcements(home)
    (tmp_path / "house").mkdir()
    engine = open_database(tmp_path / "house" / "coordinator.sqlite")
    house = make_house(engine, system_clock)  # type: ignore[arg-type]  # a clock is a clock
    house.hub.receive(house.parties["north"], statement, 1)
    (_, kept), = house.hub.store.catalog.published()
    publication = verify_publication(kept)
    engine.dispose()
    everywhere = [
        json.dumps(answered), repr(encode_from_node(statement)), repr(publication), publication.model_dump_json(),
        json.dumps(dcat_ap([publication], "c:1")), json.dumps(dsp_catalog([publication], "c:1")),
        *((path.read_bytes().decode("latin-1")) for path in (tmp_path / "house").iterdir()),
    ]
    for text in everywhere:
        assert [canary for canary in CANARIES if canary in text] == []
        assert "loans-of-canaries" not in text  # nor where the rows lie
    assert (added["report"]["rows"] - added["report"]["invalid"]) // 10 * 10 == publication.rows
    levels = [level for level in ("term_36", "term_60") if any(level in text for text in everywhere)]
    assert levels == []  # not even the contract's levels, which are public


def test_invariant_10_the_canaries_would_be_seen(tmp_path: Path) -> None:
    home_of(tmp_path)
    text = (tmp_path / "loans-of-canaries.csv").read_text()
    assert [canary for canary in CANARIES if canary not in text] == []


def test_invariant_10_a_count_that_is_not_rounded_is_not_published(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    execute(Place(home), "dataset.add", {"name": "loans", "source": str(tmp_path / "loans-of-canaries.csv"),
                                         "contract": CONTRACT, "drop_invalid": True})
    with pytest.raises(SealaneError):
        execute(Place(home), "dataset.publish", {"name": "loans", "minimum_count": 1})
