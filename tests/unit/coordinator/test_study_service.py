"""Calls about studies: who may make them, and what they answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest
from house import KEYS, NODES, House, approval, make_house
from sqlalchemy import Engine

from sealane.api.audit.v1 import audit_pb2 as audit
from sealane.api.study.v1 import study_pb2 as pb
from sealane.coordinator.audit_service import LARGEST_LIMIT, AuditServicer
from sealane.coordinator.study_service import StudyServicer
from sealane.core.clock import ManualClock
from sealane.errors import SealaneError
from sealane.rpc.study_codec import decode_party, decode_study


@pytest.fixture
def house(engine: Engine, clock: ManualClock) -> House:
    return make_house(engine, clock)


@pytest.fixture
def service(house: House) -> StudyServicer:
    return StudyServicer(house.hub)


async def refused(call: Awaitable[Any]) -> str:
    with pytest.raises(SealaneError) as caught:
        await call
    return caught.value.code


async def test_a_study_is_proposed_found_and_listed(service: StudyServicer, house: House) -> None:
    study = house.study()
    answer = await service.ProposeStudy(pb.ProposeStudyRequest(study=study.canonical()), house.calls("iris"))
    assert answer.study_hash == study.hash
    house.approve(study, "south")
    for wanted in (study.hash, study.hash[:10], "scorecard"):
        found = await service.GetStudy(pb.GetStudyRequest(study=wanted), house.calls("north"))
        record = decode_study(found.study)
        assert (record.study, record.proposer) == (study.canonical(), "iris")
        assert record.statements == (approval(study, "south"),)
    listed = await service.ListStudies(pb.ListStudiesRequest(), house.calls("vera"))
    assert [decode_study(s) for s in listed.studies] == [record]


@pytest.mark.parametrize(("data", "code"), [
    (b"", "canonical.not-json"), (b"{}", "study.malformed"), (b"x" * (1 << 19), "canonical.too-large"),
    (b'{ "version": "sealane.study/v1" }', "canonical.not-canonical"),
])
async def test_bytes_that_are_no_study(data: bytes, code: str, service: StudyServicer, house: House) -> None:
    call = service.ProposeStudy(pb.ProposeStudyRequest(study=data), house.calls("iris"))
    assert await refused(call) == code
    assert house.hub.store.all_studies() == []


async def test_only_analysts_propose(service: StudyServicer, house: House) -> None:
    request = pb.ProposeStudyRequest(study=house.study().canonical())
    assert await refused(service.ProposeStudy(request, house.calls("north"))) == "auth.role"
    assert await refused(service.ProposeStudy(request, house.calls("vera"))) == "auth.role"
    assert await refused(service.ProposeStudy(request, house.calls("otto"))) == "study.not-a-recipient"


@pytest.mark.parametrize("wanted", ["x" * 65, "a\x00b", "a\x1b[2J"])
async def test_what_is_asked_for_is_bounded_text(wanted: str, service: StudyServicer, house: House) -> None:
    assert await refused(service.GetStudy(pb.GetStudyRequest(study=wanted), house.calls("iris"))) == "wire.bad-text"


async def test_parties_are_listed_with_who_is_there(service: StudyServicer, house: House) -> None:
    house.connect("north")
    answer = await service.ListParties(pb.ListPartiesRequest(), house.calls("iris"))
    parties = {p.name: p for p in map(decode_party, answer.parties)}
    assert parties.keys() == KEYS.keys()
    assert {name for name, party in parties.items() if party.connected} == {"north"}
    assert all(parties[name].fingerprint == key.fingerprint for name, key in KEYS.items())
    house.hub.registry.quarantine("west")
    answer = await service.ListParties(pb.ListPartiesRequest(), house.calls("iris"))
    assert {p.name for p in answer.parties} == KEYS.keys() - {"west"}


async def test_nobody_without_a_certificate_that_still_counts(service: StudyServicer, house: House) -> None:
    assert await refused(service.ListStudies(pb.ListStudiesRequest(), house.calls(""))) == "auth.no-certificate"
    house.hub.registry.quarantine("iris")
    assert await refused(service.ListStudies(pb.ListStudiesRequest(), house.calls("iris"))) == "auth.quarantined"
    house.hub.registry.remove("otto")
    assert await refused(service.ListParties(pb.ListPartiesRequest(), house.calls("otto"))) == "auth.not-registered"


async def test_only_auditors_read_events_and_in_pages(house: House) -> None:
    service = AuditServicer(house.hub)
    for name in (*NODES, "iris"):
        assert await refused(service.ListEvents(audit.ListEventsRequest(), house.calls(name))) == "auth.role"
    for k in range(120):
        house.hub.store.add_event("node.connected", "north", f"{k}")
    first = await service.ListEvents(audit.ListEventsRequest(), house.calls("vera"))
    assert [(e.kind, e.party, e.detail) for e in first.events[:4]] == [
        ("call.refused", name, f"{'analyst' if name == 'iris' else 'node'} auth.role") for name in (*NODES, "iris")]
    assert [e.subject for e in first.events[4:]] == [str(k) for k in range(96)]
    rest = await service.ListEvents(audit.ListEventsRequest(after=first.events[-1].sequence), house.calls("vera"))
    assert [e.subject for e in rest.events] == [str(k) for k in range(96, 120)]
    most = await service.ListEvents(audit.ListEventsRequest(limit=2**32 - 1), house.calls("vera"))
    assert len(most.events) == 124 <= LARGEST_LIMIT
    none = await service.ListEvents(audit.ListEventsRequest(after=2**64 - 1), house.calls("vera"))
    assert list(none.events) == []
