"""What the coordinator keeps is still there when the file is opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import signed
from circle import RUN, Circle, seed_of
from sqlalchemy import Engine

from sealane.coordinator.database import open_database
from sealane.coordinator.run_facts import RunFacts, Tally
from sealane.coordinator.run_state import RunState
from sealane.coordinator.store import Store
from sealane.core.clock import ManualClock, to_text
from sealane.core.ids import Fingerprint
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal
from sealane.governance.study import Participant, Study, make_study
from sealane.secagg.attempt import sign_endorsement

KEYS = {name: SigningKey(seed_of("store", name)) for name in ("north", "south", "west")}
ANALYST = Fingerprint("a" * 52)
OTHER_RUN = "r-aaaaaaaabbbbbbbb"


def make(name: str = "scorecard", **fields: object) -> Study:
    return make_study(name=name, sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
                      computation="glm.fit", parameters={}, expires="2099-01-01T00:00:00Z",
                      participants=[Participant(name=n, fingerprint=k.fingerprint) for n, k in KEYS.items()], **fields)


def approval(study: Study, name: str) -> SignedAgreement:
    return signed.agreement(study, KEYS[name], name)


def refusal(study: Study, name: str) -> SignedRefusal:
    return signed.refusal(study, KEYS[name], name)


@pytest.fixture
def store(engine: Engine, clock: ManualClock) -> Store:
    return Store(engine, clock)


@pytest.fixture
def reopened(tmp_path: Path, clock: ManualClock) -> Callable[[], contextmanager[Store]]:  # type: ignore[valid-type]
    """Open the same file again, with nothing of the first connection."""
    @contextmanager
    def again() -> Iterator[Store]:
        engine = open_database(tmp_path / "coordinator.sqlite")
        try:
            yield Store(engine, clock)
        finally:
            engine.dispose()

    return again  # type: ignore[return-value]


def test_a_study_and_what_was_signed_about_it_stay(store: Store, reopened, clock: ManualClock) -> None:
    study = make()
    said = [approval(study, "north"), approval(study, "south"), refusal(study, "west"), refusal(study, "north")]
    assert store.add_study(study, "iris") is True
    clock.advance(timedelta(hours=1))
    assert [store.add_statement(study.hash, "x", each) for each in said] == [True] * 4
    # Again: nothing changes, whatever is said of it.
    assert store.add_study(study, "mallory") is False
    assert store.add_statement(study.hash, "mallory", said[0]) is False
    with reopened() as other:
        record = other.study(study.hash)
        assert (record.study, record.proposer, record.proposed_at) == (study.canonical(), "iris",
                                                                      "2026-03-01T12:00:00Z")
        assert record.statements == tuple(said)  # in the order they were said: the last word counts
        assert other.all_studies() == [record]
        events = [(e.kind, e.at) for e in other.list_events(0, 100)]
    assert events == [("study.proposed", "2026-03-01T12:00:00Z")] + [
        (kind, "2026-03-01T13:00:00Z") for kind in ("study.approved", "study.approved", "study.refused",
                                                    "study.refused")]


def test_a_study_is_found_by_hash_prefix_or_name(store: Store, clock: ManualClock) -> None:
    studies = []
    for k in range(20):  # among 20 hashes two begin alike: 16 letters
        studies.append(make(runs=k + 1))
        store.add_study(studies[-1], "iris")
        clock.advance(timedelta(minutes=1))
    other = make("other")
    store.add_study(other, "iris")
    for study in studies:
        assert store.study(study.hash).study == study.canonical()
        assert store.study(study.hash[:20]).study == study.canonical()
    with pytest.raises(InputError) as caught:
        store.study("scorecard")  # as at a node: nobody is handed one of several
    assert caught.value.code == "study.ambiguous"
    newest = [f"{study.hash[:16]} (waiting, to {study.expires})" for study in reversed(studies)][:10]
    assert caught.value.expected == f"one of {', '.join(newest)}, 10 more"
    assert store.study("other").study == other.canonical()
    # What is one study's name and begins another's hash could be either.
    confusing = make(next(s.hash[:12] for s in studies if s.hash[0] in "abcdef"))
    store.add_study(confusing, "mallory")
    with pytest.raises(InputError) as caught:
        store.study(confusing.name)
    assert caught.value.code == "study.ambiguous"
    letter = next(one for one in "0123456789abcdef" if sum(s.hash.startswith(one) for s in studies) > 1)
    with pytest.raises(InputError) as caught:
        store.study(letter)
    assert caught.value.code == "study.ambiguous"
    for study in studies:
        assert (study.hash[:16] in str(caught.value.expected)) is study.hash.startswith(letter)
    assert [r.study for r in store.all_studies() if r.study not in (other.canonical(), confusing.canonical())] == [
        s.canonical() for s in reversed(studies)]


@pytest.mark.parametrize("wanted", ["0" * 64, "nothing", "g", "score", "SCORECARD", "%", "_" * 64])
def test_a_study_that_is_not_there(wanted: str, store: Store) -> None:
    store.add_study(make(), "iris")
    with pytest.raises(InputError) as caught:
        store.study(wanted)
    assert caught.value.code == "study.unknown"


def test_a_statement_about_no_study_is_not_kept(store: Store) -> None:
    study = make()
    with pytest.raises(Exception, match="FOREIGN KEY"):
        store.add_statement(study.hash, "north", approval(study, "north"))
    assert store.list_events(0, 10) == []


def test_a_run_stays_as_it_was_last_saved(store: Store, reopened, clock: ManualClock) -> None:
    study, circle = make(), Circle(3)
    store.add_study(study, "iris")
    facts = RunFacts(RUN, study.hash, RunState.PROPOSED)
    store.add_run(facts, "iris")
    started = to_text(clock())
    clock.advance(timedelta(minutes=5))
    steps = [
        replace(facts, state=RunState.ADMITTED), replace(facts, state=RunState.RUNNING, attempt=0,
                                                         members=circle.attempt.members),
        replace(facts, state=RunState.RUNNING, attempt=0, members=circle.attempt.members, announced=True),
    ]
    for step in steps:
        store.save(step)
        with reopened() as other:
            assert other.run(RUN) == (step, started)
    error = UnavailableError("run.node-lost", "a node was lost", got="n2", expected="all 3", hint="bring it back")
    store.save(replace(steps[-1], state=RunState.PAUSED, error=error))
    with reopened() as other:
        (found, _), = other.all_runs()
        assert found.error is not None
        assert type(found.error) is UnavailableError
        assert found.error.to_dict() == error.to_dict()
        assert replace(found, error=None) == replace(steps[-1], state=RunState.PAUSED)
        # A change of state is an event; a change within one is none.
        assert [(e.kind, e.subject, e.detail) for e in other.list_events(1, 10)] == [
            ("run.proposed", RUN, study.hash), ("run.admitted", RUN, "attempt -1"), ("run.running", RUN, "attempt 0"),
            ("run.cohort", RUN, steps[-1].cohort_detail), ("run.paused", RUN, "run.node-lost")]


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    study = make()
    store.add_study(study, "iris")
    for run_id in (RUN, OTHER_RUN):
        store.add_run(RunFacts(run_id, study.hash, RunState.PROPOSED), "iris")
    assert store.run(RUN)[0].run_id == RUN
    assert store.run(OTHER_RUN[:-2])[0].run_id == OTHER_RUN
    for wanted, message in ((RUN[:10], "several runs begin like this"), ("", "several runs begin like this"),
                            ("r-zzzz", "no such run"), (RUN + "a", "no such run")):
        with pytest.raises(InputError) as caught:
            store.run(wanted)
        assert (caught.value.code, caught.value.message) == ("run.unknown", message)


def test_aborted_runs_do_not_count(store: Store) -> None:
    study, other = make(), make("other")
    for each in (study, other):
        store.add_study(each, "iris")
    for k, state in enumerate(RunState):
        store.add_run(RunFacts(f"r-{'abcdefghij'[k] * 16}", study.hash, state), "iris")
    store.add_run(RunFacts("r-" + "z" * 16, other.hash, RunState.COMPLETED), "iris")
    assert store.count_runs(study.hash) == len(RunState) - 1
    assert store.count_runs(other.hash) == 1
    assert store.count_runs("0" * 64) == 0


def test_a_result_is_kept_once(store: Store, reopened) -> None:
    study, circle = make(), Circle(3)
    store.add_study(study, "iris")
    store.add_run(RunFacts(RUN, study.hash, RunState.RELEASING), "iris")
    assert store.result(RUN, ANALYST) is None
    endorsed = {key.fingerprint: sign_endorsement(key, circle.attempt, circle.attempt.transcript(), b"h" * 32)
                for key in circle.keys}
    auditor = Fingerprint("q" * 52)
    store.save_result(RUN, {ANALYST: b"to the analyst", auditor: b"to the auditor"}, endorsed)
    store.save_result(RUN, {ANALYST: b"another one"}, {})
    with reopened() as other:
        assert other.result(RUN, ANALYST) == (b"to the analyst", endorsed)
        assert other.result(RUN, auditor) == (b"to the auditor", endorsed)
        assert other.result(RUN, Fingerprint("z" * 52)) is None
        assert other.result(OTHER_RUN, ANALYST) is None


def test_half_a_result_is_none(store: Store) -> None:
    """What fails in the middle leaves nothing of itself."""
    study, circle = make(), Circle(3)
    store.add_study(study, "iris")
    store.add_run(RunFacts(RUN, study.hash, RunState.RELEASING), "iris")
    endorsement = sign_endorsement(circle.keys[0], circle.attempt, circle.attempt.transcript(), b"h" * 32)
    broken = replace(endorsement, signature=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        store.save_result(RUN, {ANALYST: b"sealed"}, {circle.names[0]: endorsement, circle.names[1]: broken})
    assert store.result(RUN, ANALYST) is None


def test_events_are_read_in_pages(store: Store) -> None:
    for k in range(5):
        store.add_event("node.connected", f"n{k}", "a" * 52, "x")
    first = store.list_events(0, 3)
    assert [(e.sequence, e.party) for e in first] == [(1, "n0"), (2, "n1"), (3, "n2")]
    assert [e.party for e in store.list_events(first[-1].sequence, 3)] == ["n3", "n4"]
    assert store.list_events(5, 3) == []


def test_a_full_disk_is_said_and_loses_nothing(engine: Engine, store: Store) -> None:
    study = make()
    store.add_study(study, "iris")
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        for _ in range(100):
            store.add_event("node.connected", "north", "a" * 52, "x" * 2000)

    with pytest.raises(UnavailableError) as caught:
        fill()
    assert caught.value.code == "storage.full"
    assert store.study(study.hash).study == study.canonical()


def test_a_refusal_by_error_keeps_its_branch(store: Store, reopened) -> None:
    study = make()
    store.add_study(study, "iris")
    facts = RunFacts(RUN, study.hash, RunState.PROPOSED)
    store.add_run(facts, "iris")
    store.save(replace(facts, state=RunState.ABORTED, error=RefusedError("study.revoked", "no")))
    with reopened() as other:
        error = other.run(RUN)[0].error
    assert isinstance(error, RefusedError)
    assert (error.code, error.message, error.got, error.hint) == ("study.revoked", "no", None, None)


def test_nothing_is_found_by_an_empty_name(store: Store) -> None:
    study = make()
    store.add_study(study, "iris")
    store.add_run(RunFacts(RUN, study.hash, RunState.PROPOSED), "iris")
    for look in (store.study, store.run):
        with pytest.raises(InputError) as caught:
            look("")
        assert caught.value.code in ("study.unknown", "run.unknown")


def test_what_a_run_cost_survives_the_process(store: Store, reopened) -> None:
    study = make()
    store.add_study(study, "iris")
    north = Fingerprint(study.participants[0].fingerprint)
    running = RunFacts(RUN, study.hash, RunState.PROPOSED)
    store.add_run(running, "iris")
    store.save(replace(running, tally=Tally(15, {north: 4711}, 2.5)))
    with reopened() as again:
        assert again.run(RUN)[0].tally == Tally(15, {north: 4711}, 2.5)
