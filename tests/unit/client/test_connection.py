"""``connect``: which study it runs, how long it waits, and what it makes of a coordinator that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import signed
from circle import seed_of
from made_identity import make_identity

from sealane.client import connection as module
from sealane.client.connection import Connection, analyst_home, connect
from sealane.client.status import RunStatus
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError, UnavailableError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study, parse_study
from sealane.governance.study_file import StudyFile
from sealane.rpc.notices import PartyRecord, StudyRecord

NODES = ("north", "south", "west")
KEYS = {name: SigningKey(seed_of("connection", name)) for name in NODES}
RUN = "r-aaaaaaaaaaaaaaaa"
AT = "2026-03-01T12:00:00Z"
CONTRACT = "finance.credit-application/v1"
COLUMNS = {"columns": ["annual_inc"]}
AWAY = UnavailableError("rpc.unreachable", "it cannot be reached")


def status(state: str, error: SealaneError | None = None) -> RunStatus:
    return RunStatus(RUN, "ab" * 32, state, 0, 1, NODES, (), {"north": 5}, 0.1, AT, error)


@dataclass
class Desk:
    """What stands for a session: the coordinator's answers, and what was asked of it."""

    real: Any
    records: list[StudyRecord] = field(default_factory=list)
    watched: list[Any] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    proposed: list[Study] = field(default_factory=list)
    approving: tuple[str, ...] = NODES
    asked: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def parties(self) -> list[PartyRecord]:
        return [PartyRecord(n, "node", k.fingerprint, k.public_key, bytes(32)) for n, k in KEYS.items()]

    def studies(self) -> list[StudyRecord]:
        return self.records

    def study(self, wanted: str) -> StudyRecord:
        self.asked += 1
        return next(r for r in self.records if wanted in (parse_study(r.study).hash, parse_study(r.study).name))

    def propose(self, study: Study) -> str:
        self.proposed.append(study)
        self.records.insert(0, record(study, *self.approving))
        return study.hash

    def start(self, study: str) -> str:
        self.started.append(study)
        return RUN

    def watch(self, run_id: str) -> Iterator[RunStatus]:
        for said in self.watched.pop(0):
            if isinstance(said, Exception):
                raise said
            yield said

    def result(self, run_id: str) -> Any:
        said = self.results.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def study_of(recipient: Any, **changes: Any) -> Study:
    fields: dict[str, Any] = {
        "name": "s", "sector": "finance", "purpose": "credit-risk", "data_contract": "test.rows/v1",
        "computation": "statistics.describe", "parameters": COLUMNS, "expires": "2099-01-01T00:00:00Z",
        "participants": [Participant(name=n, fingerprint=k.fingerprint) for n, k in KEYS.items()],
        "recipients": [recipient]}
    return make_study(**fields | changes)


def record(study: Study, *approved: str) -> StudyRecord:
    return StudyRecord(study.canonical(), "iris", AT, tuple(
        signed.agreement(study, KEYS[n], n, at=AT) for n in approved))


@pytest.fixture
def fed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    make_identity(tmp_path / "iris", "iris", "analyst")
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    with connect(home=tmp_path / "iris") as made:
        made.session = Desk(made.session)  # type: ignore[assignment]
        yield made


@pytest.fixture
def desk(fed: Connection) -> Any:
    desk: Any = fed.session
    shown = SimpleNamespace(trace=None)
    desk.watched = [[status("RUNNING"), status("COMPLETED")]]
    desk.results = [SimpleNamespace(status=status("COMPLETED"), present=lambda: shown)]
    return desk


def run(fed: Connection, **changes: Any) -> Any:
    return fed.run("statistics.describe", **COLUMNS | {"tell": lambda line: None} | changes)


def refused(fed: Connection, **changes: Any) -> SealaneError:
    with pytest.raises(SealaneError) as caught:
        run(fed, **changes)
    return caught.value


def test_an_approved_study_that_fits_is_run(fed: Connection, desk: Any) -> None:
    own = desk.real.recipient()
    fits = study_of(own)
    stranger = SigningKey(seed_of("someone else"))
    desk.records = [
        record(study_of(own, name="half"), "north", "south"),  # not approved by all
        record(study_of(own, name="other-columns", parameters={"columns": ["y"]}), *NODES),
        record(study_of(recipient_of("otto", stranger, bytes(31) + b"\x09"), name="theirs"), *NODES),
        record(fits, *NODES), record(study_of(own, name="older"), *NODES)]
    trace = run(fed).trace
    assert desk.started == [fits.hash]
    assert (trace.run_id, trace.rounds, trace.bytes_sent) == (RUN, 1, {"north": 5})
    assert desk.proposed == []


def test_without_one_it_proposes_what_was_said(fed: Connection, desk: Any) -> None:
    told: list[str] = []
    assert refused(fed).code == "study.needs-terms"
    run(fed, data_contract=CONTRACT, purpose="credit-risk", minimum_count=25, tell=told.append)
    study, = desk.proposed
    assert (study.sector, study.data_contract, study.purpose) == ("finance", CONTRACT, "credit-risk")
    assert (study.parameters, study.minimum_count, study.computation) == (COLUMNS, 25, "statistics.describe")
    assert {p.name: p.fingerprint for p in study.participants} == {n: k.fingerprint for n, k in KEYS.items()}
    assert [r.fingerprint for r in study.recipients] == [desk.real.identity.fingerprint]
    assert told[0].startswith(f"proposed study {study.hash[:12]}")
    assert told[1:4] == ["north approved", "south approved", "west approved"]
    assert desk.started == [study.hash]
    assert desk.real.known.peers().keys() == KEYS.keys()  # the keys are remembered, and may not change


def test_what_waits_already_is_waited_for_and_not_proposed_again(fed: Connection, desk: Any) -> None:
    terms = {"data_contract": CONTRACT, "purpose": "credit-risk", "wait_s": 0.0}
    desk.approving = ("north",)
    told: list[str] = []
    for _ in range(3):
        assert refused(fed, **terms, tell=told.append).code == "study.approvals-missing"
    study, = desk.proposed
    assert [line for line in told if "approved" not in line] == [
        f"proposed study {study.hash[:12]} as statistics-describe; waiting for approvals",
        *[f"study {study.hash[:12]} is proposed already; waiting for approvals"] * 2]
    desk.records = [record(study, *NODES)]
    run(fed, **terms)
    assert (desk.started, len(desk.proposed)) == ([study.hash], 1)


def test_another_study_has_another_name(fed: Connection, desk: Any) -> None:
    terms = {"data_contract": CONTRACT, "purpose": "credit-risk", "wait_s": 0.0}
    desk.approving = ()
    for changes in ({}, {"minimum_count": 50}, {"columns": ["int_rate"]}):
        refused(fed, **terms | changes)
    assert [study.name for study in desk.proposed] == [
        "statistics-describe", "statistics-describe-2", "statistics-describe-3"]


def test_a_refused_or_expired_study_hides_no_other(fed: Connection, desk: Any) -> None:
    own = desk.real.recipient()
    no, gone, good = (study_of(own, name=name, **end) for name, end in (
        ("no", {}), ("gone", {"expires": "2020-01-01T00:00:00Z"}), ("good", {})))
    against = StudyRecord(no.canonical(), "iris", AT, (signed.refusal(no, KEYS["west"], "west"),))
    desk.records = [against, record(gone, *NODES), record(good, *NODES)]
    run(fed)
    assert desk.started == [good.hash]


def test_what_it_proposes_allows_what_the_computation_may_take(fed: Connection, desk: Any) -> None:
    trees = StudyFile(name="trees", sector="finance", purpose="credit-risk", data_contract=CONTRACT,
                      computation="trees.gbdt",
                      parameters={"outcome": "bad", "features": ["annual_inc"], "rounds": 100})
    fed.propose(trees)
    fed.propose(trees.model_copy(update={"rounds": 40}))
    assert [study.rounds for study in desk.proposed] == [6300, 40]


@pytest.mark.parametrize(("changes", "code", "branch"), [
    ({"purpose": "curiosity"}, "study.unknown-purpose", InputError),
    ({"columns": ["anual_inc"]}, "contract.unknown-field", InputError),
    ({"data_contract": "finance.rows/v1"}, "contract.unknown", InputError),
    ({"sector": "energy", "purpose": "efficiency"}, "study.other-sector", RefusedError),
])
def test_what_nobody_could_approve_is_not_proposed(changes: dict[str, Any], code: str, branch: type[SealaneError],
                                                   fed: Connection, desk: Any) -> None:
    error = refused(fed, **{"data_contract": CONTRACT, "purpose": "credit-risk", "wait_s": 0.0} | changes)
    assert (error.code, type(error)) == (code, branch)
    assert desk.proposed == []


@pytest.mark.parametrize(("asked", "changes"), [
    ("glm.fit", {"outcome": "x", "features": ["y"], "family": "binomial"}), ("statistics.describe", {"columns": ["y"]}),
])
def test_a_named_study_is_about_what_is_asked(asked: str, changes: dict[str, Any], fed: Connection, desk: Any) -> None:
    desk.records = [record(study_of(desk.real.recipient()), *NODES)]
    with pytest.raises(InputError) as caught:
        fed.run(asked, study="s", tell=lambda line: None, **changes)
    assert (caught.value.code, caught.value.expected) == ("study.other-computation", "statistics.describe as agreed")
    assert desk.started == []
    run(fed, study="s")
    assert len(desk.started) == 1


def test_a_refusal_ends_the_wait_and_time_does_too(fed: Connection, desk: Any) -> None:
    study = study_of(desk.real.recipient())
    desk.records = [record(study, "north")]
    missing = refused(fed, study="s", wait_s=0.5)
    assert (missing.code, missing.got) == ("study.approvals-missing", "without south, west")
    assert desk.asked > 2
    said = signed.refusal(study, KEYS["west"], "west", "no legal basis", AT)
    desk.records = [StudyRecord(study.canonical(), "iris", AT, (*record(study, *NODES).statements, said))]
    error = refused(fed, study="s")
    assert (error.code, error.got, type(error)) == ("study.refused", "no legal basis", RefusedError)
    assert desk.started == []


def test_a_coordinator_that_is_restarted_is_waited_for(fed: Connection, desk: Any) -> None:
    opened = desk.results[0]
    desk.watched = [[status("RUNNING"), AWAY], [AWAY], [status("RUNNING")], [status("COMPLETED")]]
    desk.results = [AWAY, AWAY, opened]
    seen: list[str] = []
    assert fed.finish(RUN, lambda now: seen.append(now.state)).trace.cohort == NODES
    assert seen == ["RUNNING", "RUNNING", "COMPLETED"]


def test_it_is_not_waited_for_without_end(fed: Connection, desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECONNECT_SECONDS", 0.01)
    desk.watched = [[AWAY] for _ in range(1000)]
    with pytest.raises(UnavailableError) as caught:
        fed.finish(RUN)
    assert caught.value.code == "rpc.unreachable"


@pytest.mark.parametrize("state", ["PAUSED", "ABORTED"])
def test_why_a_run_stopped_is_raised(state: str, fed: Connection, desk: Any) -> None:
    desk.watched = [[status("RUNNING"), status(state, UnavailableError("run.node-lost", "west was lost"))]]
    with pytest.raises(UnavailableError) as caught:
        fed.finish(RUN)
    assert caught.value.code == "run.node-lost"


def test_what_the_coordinator_itself_lacks_is_not_waited_for(fed: Connection, desk: Any) -> None:
    desk.results = [UnavailableError("result.not-yet", "no result yet")]
    with pytest.raises(UnavailableError) as caught:
        fed.finish(RUN)
    assert caught.value.code == "result.not-yet"


def test_wrong_parameters_are_seen_before_anyone_is_asked(fed: Connection, desk: Any) -> None:
    with pytest.raises(InputError) as caught:
        fed.run("statistics.describe", column=["x"])
    assert caught.value.code == "computation.bad-parameters"
    assert desk.asked == 0


def test_the_home_is_as_given_or_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEALANE_HOME", str(tmp_path / "env"))
    assert analyst_home(tmp_path / "given") == tmp_path / "given"
    assert analyst_home() == tmp_path / "env"
    monkeypatch.delenv("SEALANE_HOME")
    assert analyst_home() == Path.home() / ".sealane" / "analyst"
