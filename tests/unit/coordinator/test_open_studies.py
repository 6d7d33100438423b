"""How much room an analyst's proposals take at the coordinator, and what a node that comes back is sent of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from circle import RUN
from house import KEYS, NODES, SEALING_SEED, House, approval, make_house, refusal
from sqlalchemy import Engine, delete

from sealane.api.study.v1 import study_pb2 as pb
from sealane.coordinator import study_service as service_module
from sealane.coordinator.database import writing
from sealane.coordinator.run_facts import RunFacts
from sealane.coordinator.run_state import RunState
from sealane.coordinator.settings import Settings
from sealane.coordinator.store import Store, participations
from sealane.coordinator.study_service import StudyServicer
from sealane.core.clock import ManualClock, to_text
from sealane.crypto.sealing import sealing_public_key
from sealane.errors import InputError, UnavailableError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Study, make_study
from sealane.rpc.notices import StudyRecord
from sealane.rpc.study_codec import decode_study

LIFE = timedelta(hours=1)


@pytest.fixture
def house(engine: Engine, clock: ManualClock) -> House:
    return make_house(engine, clock)


def brief(house: House, clock: ManualClock, name: str) -> Study:
    """Return a study that is over in an hour."""
    long = house.study(name)
    return make_study(**{field: getattr(long, field) for field in type(long).model_fields} | {
        "expires": to_text(clock() + LIFE)})


def propose(house: House, *studies: Study, by: str = "iris") -> None:
    for study in studies:
        house.hub.propose(study, house.parties[by])


def kept(house: House) -> set[bytes]:
    return {record.study for record in house.hub.store.all_studies()}


def test_an_analyst_has_so_many_open_studies_and_others_have_theirs(house: House) -> None:
    house.hub.open_per_proposer = 2
    first, second, third = (house.study(name) for name in ("first", "second", "third"))
    propose(house, first, second)
    house.connect("north")
    house.drain("north")
    error = house.refused(lambda: propose(house, third))
    assert (error.code, type(error), error.got) == ("study.too-many-open", UnavailableError, "iris")
    assert "at most 2" in str(error.expected)
    assert "open_per_proposer" in str(error.hint)
    assert third.canonical() not in kept(house)
    assert house.drain("north") == []
    propose(house, first)  # what is kept already takes no more room
    other = house.study("fourth", recipients=[recipient_of("otto", KEYS["otto"], sealing_public_key(SEALING_SEED))])
    propose(house, other, by="otto")
    assert other.canonical() in kept(house)


def test_unless_the_operator_says_otherwise_it_is_a_hundred(house: House) -> None:
    assert Settings().studies.open_per_proposer == house.hub.open_per_proposer == 100
    for k in range(100):
        assert house.hub.store.add_study(house.study(f"s{k}"), "iris")
    error = house.refused(lambda: propose(house, house.study("one-more")))
    assert error.code == "study.too-many-open"


def test_a_study_makes_room_when_it_runs_and_not_when_somebody_signs(house: House) -> None:
    house.hub.open_per_proposer = 1
    study, other = house.study(), house.study("other")
    propose(house, study)
    house.approve(study)  # a node that is in league with the analyst signs anything
    assert house.refused(lambda: propose(house, other)).code == "study.too-many-open"
    house.start(study)
    propose(house, other)
    assert kept(house) == {study.canonical(), other.canonical()}


def test_what_expired_unsigned_is_dropped_and_what_was_signed_or_run_never(house: House, clock: ManualClock) -> None:
    house.hub.open_per_proposer = 4
    unsigned, approved, refused, ran = (brief(house, clock, name) for name in ("idle", "approved", "refused", "ran"))
    propose(house, unsigned, approved, refused, ran)
    house.approve(approved, "north")
    house.hub.receive(house.parties["south"], refusal(refused, "south"), 1)
    house.hub.store.add_run(RunFacts(RUN, ran.hash, RunState.PROPOSED), "iris")
    clock.advance(LIFE)
    late = house.study("late")
    propose(house, late)  # those that expired take no room any more
    assert kept(house) == {study.canonical() for study in (approved, refused, ran, late)}
    assert house.record(approved).statements == (approval(approved, "north"),)
    told = {event.subject for event in house.hub.store.list_events(0, 99) if event.kind == "study.proposed"}
    assert unsigned.hash in told  # what was done stays in the log


def test_dropped_studies_leave_no_trace_that_takes_room(house: House, clock: ManualClock, engine: Engine) -> None:
    house.hub.open_per_proposer = 2
    for k in range(5):
        propose(house, brief(house, clock, f"a{k}"), brief(house, clock, f"b{k}"))
        clock.advance(LIFE)
    assert len(kept(house)) == 2
    with engine.connect() as db:
        assert len(db.execute(participations.select()).all()) == 2 * len(NODES)


def test_what_is_over_already_is_not_taken(house: House, clock: ManualClock) -> None:
    study = brief(house, clock, "over")
    clock.advance(LIFE)
    error = house.refused(lambda: propose(house, study))
    assert (error.code, type(error), error.got) == ("study.already-over", InputError, study.expires)
    assert kept(house) == set()


def test_a_signature_that_comes_after_its_study_was_dropped_is_passed_over(house: House, clock: ManualClock) -> None:
    study = brief(house, clock, "scorecard")
    propose(house, study)
    clock.advance(LIFE)
    propose(house, house.study("later"))
    house.hub.receive(house.parties["north"], approval(study, "north"), 1)  # and its stream goes on
    assert study.canonical() not in kept(house)


def test_a_node_that_comes_back_hears_what_has_not_expired(house: House, clock: ManualClock) -> None:
    over, signed, lasting = brief(house, clock, "over"), brief(house, clock, "signed"), house.study("lasting")
    propose(house, over, signed, lasting)
    house.approve(signed, "north")
    clock.advance(LIFE)
    house.connect("north")
    told = [m.study for m in house.drain("north") if isinstance(m, StudyRecord)]
    assert told == [lasting.canonical()]


def test_studies_of_an_earlier_version_are_counted_and_sent_too(
    house: House, engine: Engine, clock: ManualClock
) -> None:
    study = house.study()
    propose(house, study)
    with writing(engine) as db:
        db.execute(delete(participations))
    house.hub.store = Store(engine, clock)
    house.hub.open_per_proposer = 1
    assert house.refused(lambda: propose(house, house.study("other"))).code == "study.too-many-open"
    house.connect("north")
    assert [m.study for m in house.drain("north") if isinstance(m, StudyRecord)] == [study.canonical()]


@pytest.mark.parametrize(("name", "value"), [("PAGE_STUDIES", 2), ("PAGE_BYTES", 2000)])
async def test_studies_are_listed_in_pages(
    name: str, value: int, house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, name, value)
    for k in range(7):
        propose(house, house.study(f"s{k}"))
        clock.advance(timedelta(seconds=k % 2))  # some of one moment: their hashes order them
    service, found, after = StudyServicer(house.hub), [], ""
    for _ in range(7):
        page = await service.ListStudies(pb.ListStudiesRequest(after=after), house.calls("vera"))
        assert 1 <= len(page.studies) < 7
        found += [decode_study(study) for study in page.studies]
        after = page.next
        if not after:
            break
    assert found == house.hub.store.all_studies()
    assert len(found) == 7
