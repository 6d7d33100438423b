"""What a reader believes of a catalog: signatures that hold, keys as they are known here, and only what was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_identity import make_identity
from made_publication import KEYS, made, signed

from sealane.api.catalog.v1 import catalog_pb2 as pb
from sealane.client.catalog import check_entry
from sealane.client.session import Session
from sealane.errors import ProtocolError
from sealane.governance.catalog_query import CatalogQuery
from sealane.governance.publication import Withdrawal, sign_publication, sign_withdrawal
from sealane.rpc.catalog_codec import encode_catalog

ANY = CatalogQuery()
NORTH = KEYS["north"].fingerprint


@pytest.mark.parametrize(("known", "word"), [
    ({}, "unknown"), ({"north": (NORTH, True)}, "verified"), ({"north": (NORTH, False)}, "seen"),
    ({"north": (KEYS["south"].fingerprint, True)}, "differs"), ({"south": (NORTH, True)}, "unknown"),
])
def test_what_is_known_of_the_key_is_said(known: dict[str, tuple[str, bool]], word: str) -> None:
    entry = check_entry(signed(), ANY, known)
    assert (entry.trust, entry.publication) == (word, made())
    assert entry.to_dict()["trust"] == word


def test_what_a_lying_coordinator_may_send_is_refused() -> None:
    whole = signed()
    withdrawal = sign_withdrawal(KEYS["north"], Withdrawal(
        node="north", fingerprint=NORTH, dataset="loans", sequence=8, withdrawn_at="2026-03-03T00:00:00Z"))
    for lie, query, code in (
        (replace(whole, body=whole.body.replace(b"1230", b"9990")), ANY, "signature.invalid"),
        (whole, CatalogQuery(node="south"), "catalog.not-asked-for"), (withdrawal, ANY, "catalog.not-an-entry"),
    ):
        with pytest.raises(ProtocolError) as caught:
            check_entry(lie, query, {})
        assert caught.value.code == code


class Pages:
    """A coordinator's answers, one after the other."""

    def __init__(self, *pages: pb.ListEntriesResponse) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    def __call__(self, request: pb.ListEntriesRequest, timeout: float) -> Any:
        self.asked.append(request.after)
        return self.pages.pop(0)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(make_identity(tmp_path, "iris", "analyst").home)


def page(node: str, after: str = "") -> pb.ListEntriesResponse:
    said = made().model_copy(update={"node": node})
    return pb.ListEntriesResponse(entries=[encode_catalog(sign_publication(KEYS["north"], said))], next=after)


def test_pages_follow_each_other_by_node_and_dataset(session: Session) -> None:
    # Of names as texts the second comes before the first: "-" before "/".
    pages = Pages(page("north", "north/loans"), page("north-2", "north-2/loans"), page("south"))
    session._catalog.ListEntries = pages
    assert [e.publication.node for e in session.catalog(ANY, {})] == ["north", "north-2", "south"]
    assert pages.asked == ["", "north/loans", "north-2/loans"]


def test_pages_without_an_end_are_left(session: Session) -> None:
    session._catalog.ListEntries = Pages(page("north", "north/loans"), page("north", "north/loans"))
    with pytest.raises(ProtocolError) as caught:
        session.catalog(ANY, {})
    assert caught.value.code == "catalog.pages"
