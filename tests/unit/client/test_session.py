"""What an analyst believes of a coordinator's answer: only what a study's own institutions signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from circle import RUN, seed_of
from made_identity import make_identity

from sealane.api.run.v1 import run_pb2 as pb
from sealane.api.study.v1 import study_pb2
from sealane.client import session as module
from sealane.client.session import Session, require_role
from sealane.core.canonical import canonical_bytes
from sealane.crypto.sealing import seal_to
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError, UnavailableError
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import StudyRecord
from sealane.rpc.study_codec import encode_study
from sealane.secagg.attempt import Attempt, sign_endorsement
from sealane.secagg.result import result_hash, result_info

NODES = ("north", "south", "west", "east")
KEYS = {name: SigningKey(seed_of("session", name)) for name in (*NODES, "stranger")}
PAYLOAD = {"rows": 600}
OTHER_RUN = "r-bbbbbbbbbbbbbbbb"


def make(session: Session, **fields: Any) -> Study:
    base: dict[str, Any] = {
        "participants": [Participant(name=n, fingerprint=KEYS[n].fingerprint) for n in NODES],
        "recipients": [session.recipient()], "name": "scorecard"}
    return make_study(sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
                      computation="statistics.describe", parameters={}, expires="2099-01-01T00:00:00Z", **base | fields)


@dataclass
class Coordinator:
    """What a coordinator answers; the tests turn it into a lying one, field by field."""

    session: Session
    study: Study
    payload: bytes = canonical_bytes(PAYLOAD)
    run_id: str = RUN
    status_hash: str = ""
    cohort: tuple[str, ...] = NODES[:3]
    endorsers: tuple[str, ...] = NODES[:3]
    endorsed: Callable[[pb.Endorsement], pb.Endorsement] = lambda item: item
    sealed_for: str = ""
    called: list[Any] = field(default_factory=list)

    @property
    def document(self) -> bytes:
        return b"s" * 32 + self.payload  # a salt, and the result

    def GetStudy(self, request: study_pb2.GetStudyRequest, timeout: float) -> study_pb2.GetStudyResponse:
        self.called.append(request)
        return study_pb2.GetStudyResponse(study=encode_study(
            StudyRecord(self.study.canonical(), "iris", "2026-03-01T12:00:00Z")))

    def FetchResult(self, request: pb.FetchResultRequest, timeout: float) -> pb.FetchResultResponse:
        self.called.append(request)
        info = result_info(self.sealed_for or self.study.hash, self.run_id)
        status = pb.RunStatus(run_id=self.run_id, study_hash=self.status_hash or self.study.hash,
                              state=pb.RUN_STATE_COMPLETED, cohort=self.cohort, started_at="2026-03-01T12:00:00Z")
        return pb.FetchResultResponse(
            sealed_result=seal_to(self.session.identity.sealing_key, self.document, info), status=status,
            endorsements=[self.endorsed(self.endorse(name)) for name in self.endorsers])

    def endorse(self, name: str, **changes: Any) -> pb.Endorsement:
        key, attempt = KEYS[name], Attempt(self.run_id, self.study.hash, 0, "masking", (), 1, 3)
        made = sign_endorsement(key, replace(attempt, **changes), attempt.transcript(), result_hash(self.document))
        return pb.Endorsement(fingerprint=key.fingerprint, attempt=made.attempt, result_hash=made.result_hash,
                              transcript=made.transcript, signature=made.signature, signing_key=key.public_key)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    make_identity(tmp_path / "iris", "iris", "analyst")
    with Session(tmp_path / "iris") as made:
        yield made


@pytest.fixture
def coordinator(session: Session) -> Coordinator:
    made = Coordinator(session, make(session))
    session._runs = session._studies = made
    session.known.remember(made.study)
    return made


def refused(session: Session, run_id: str = RUN) -> SealaneError:
    with pytest.raises(SealaneError) as caught:
        session.result(run_id)
    return caught.value


def test_a_result_is_opened_that_its_whole_cohort_endorsed(session: Session, coordinator: Coordinator) -> None:
    opened = session.result(RUN)
    assert opened.payload == PAYLOAD
    assert opened.endorsed_by == ("north", "south", "west")
    assert (opened.study, opened.status.run_id) == (coordinator.study, RUN)
    assert session.result(RUN[:6]).payload == PAYLOAD  # the beginning of an id will do


def test_a_stranger_endorses_nothing(session: Session, coordinator: Coordinator) -> None:
    coordinator.endorsers = (*NODES[:3], "stranger")
    error = refused(session)
    assert (error.code, error.got, type(error)) == ("result.stranger", KEYS["stranger"].fingerprint, ProtocolError)


def test_a_fingerprint_beside_another_key_counts_for_nothing(session: Session, coordinator: Coordinator) -> None:
    """The coordinator's own key under an institution's fingerprint: it is the key that is looked at."""
    coordinator.endorsers = ("stranger", *NODES[1:3])
    coordinator.endorsed = lambda item: pb.Endorsement(
        fingerprint=KEYS["north"].fingerprint, attempt=item.attempt, result_hash=item.result_hash,
        transcript=item.transcript, signature=item.signature, signing_key=item.signing_key)
    assert refused(session).code == "result.stranger"


@pytest.mark.parametrize(("cohort", "endorsers"), [
    (NODES[:3], NODES[:2]),  # one is missing
    (NODES[:3], ()),
    (NODES[:3], ("north", "north", "north")),  # one for three
    (NODES[:3], ("north", "south", "east")),  # another than the cohort says
    (NODES[:3], NODES),  # more than the cohort says
    (NODES[:2], NODES[:2]),  # below the study's minimum cohort
    ((), ()),
])
def test_every_member_of_a_large_enough_cohort_endorses(
    cohort: tuple[str, ...], endorsers: tuple[str, ...], session: Session, coordinator: Coordinator
) -> None:
    coordinator.cohort, coordinator.endorsers = cohort, endorsers
    error = refused(session)
    assert (error.code, error.got) == ("result.not-endorsed", ", ".join(sorted(set(endorsers))))


def test_an_endorsement_is_of_this_result_run_and_study(session: Session, coordinator: Coordinator) -> None:
    good = coordinator.endorse("north")
    other = canonical_bytes({"rows": 601})
    coordinator.payload, honest = other, coordinator.payload
    foreign = coordinator.endorse("north")  # of another result
    coordinator.payload = honest
    lies: list[tuple[pb.Endorsement, str]] = [
        (foreign, "result.differs"),
        (coordinator.endorse("north", run_id=OTHER_RUN), "signature.invalid"),
        (coordinator.endorse("north", study_hash="00" * 32), "signature.invalid"),
    ]
    for name, value in (("attempt", 1), ("transcript", b"x" * 32), ("signature", bytes(64))):
        lie = pb.Endorsement()
        lie.CopyFrom(good)
        setattr(lie, name, value)
        lies.append((lie, "signature.invalid"))
    for lie, code in lies:
        coordinator.endorsed = lambda item, lie=lie: lie if item.signing_key == KEYS["north"].public_key else item
        assert refused(session).code == code


def test_a_run_of_another_study_or_another_run_is_not_taken(session: Session, coordinator: Coordinator) -> None:
    other = make(session, name="other")
    session.known.remember(other)
    coordinator.status_hash = other.hash
    assert refused(session).code == "result.of-another"
    coordinator.status_hash, coordinator.run_id = "", OTHER_RUN
    error = refused(session)
    assert (error.code, type(error)) == ("result.of-another", ProtocolError)
    assert OTHER_RUN in str(error.got)
    assert RUN in str(error.expected)


def test_a_result_sealed_for_another_study_or_person_does_not_open(session: Session, coordinator: Coordinator) -> None:
    coordinator.sealed_for = "00" * 32
    assert refused(session).code == "sealing.invalid"
    coordinator.sealed_for = ""
    other = make_identity(session.identity.home.parent / "otto", "otto", "analyst")
    session.identity = replace(session.identity, sealing_seed=other.sealing_seed)
    coordinator.session = type("Other", (), {"identity": type("Identity", (), {"sealing_key": bytes([9] * 32)})})  # type: ignore[assignment]
    assert refused(session).code == "sealing.invalid"


@pytest.mark.parametrize(("payload", "code"), [
    (b"[1,2]", "result.malformed"), (b'"text"', "result.malformed"), (b"null", "result.malformed"),
    (b"", "canonical.not-json"), (b'{ "rows": 1 }', "canonical.not-canonical"), (b"\xff", "canonical.not-json"),
])
def test_an_endorsed_result_is_still_a_document(
    payload: bytes, code: str, session: Session, coordinator: Coordinator
) -> None:
    coordinator.payload = payload
    assert refused(session).code == code


def test_a_study_that_was_never_seen_here_is_not_believed(session: Session, coordinator: Coordinator) -> None:
    coordinator.study = make(session, name="planted")
    error = refused(session)
    assert (error.code, type(error)) == ("result.unverified-study", RefusedError)
    for name in NODES:
        session.known.trust(name, KEYS[name].fingerprint)
    assert session.result(RUN).payload == PAYLOAD


def test_a_coordinator_that_names_another_hash_for_a_proposal(session: Session) -> None:
    study = make(session)

    class Studies:
        def ProposeStudy(self, request: study_pb2.ProposeStudyRequest, timeout: float) -> Any:
            assert request.study == study.canonical()
            return study_pb2.ProposeStudyResponse(study_hash="0" * 64)

    session._studies = Studies()
    with pytest.raises(ProtocolError) as caught:
        session.propose(study)
    assert (caught.value.code, caught.value.expected) == ("study.hash-differs", study.hash)


def test_each_call_has_a_deadline_and_a_typed_error(session: Session) -> None:
    class Lost(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.DEADLINE_EXCEEDED

        def details(self) -> str:
            return "Deadline Exceeded"

        def trailing_metadata(self) -> tuple[()]:
            return ()

    class Silent:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(request: object, timeout: float) -> Any:
                assert 0 < timeout < 60
                raise Lost
            return call

    session._studies = session._runs = session._audit = Silent()
    for call in (session.parties, session.studies, lambda: session.study("x"), lambda: session.start("x"), session.runs,
                 lambda: session.resume(RUN), lambda: session.cancel(RUN), lambda: session.result(RUN), session.events):
        with pytest.raises(UnavailableError) as caught:
            call()
        assert caught.value.code == "rpc.deadline"


def test_nobody_is_there(session: Session) -> None:
    with pytest.raises(UnavailableError) as caught:
        session.runs()
    assert caught.value.code == "rpc.unreachable"
    assert session.address in caught.value.message


def test_a_home_serves_its_own_role(session: Session) -> None:
    require_role(session, "auditor", "analyst")
    with pytest.raises(InputError) as caught:
        require_role(session, "auditor")
    assert (caught.value.code, caught.value.got, caught.value.expected) == ("home.other-role", "analyst", "auditor")


class Pages:
    """What lists studies in pages, as given."""

    def __init__(self, *pages: study_pb2.ListStudiesResponse) -> None:
        self.pages = list(pages)
        self.asked: list[str] = []

    def ListStudies(self, request: study_pb2.ListStudiesRequest, timeout: float) -> study_pb2.ListStudiesResponse:
        self.asked.append(request.after)
        return self.pages[min(len(self.asked), len(self.pages)) - 1]


def test_studies_are_read_page_by_page(session: Session) -> None:
    one, two = (study_pb2.StudyRecord(study=name, proposer="iris") for name in (b"one", b"two"))
    pages = Pages(study_pb2.ListStudiesResponse(studies=[one], next="behind one"),
                  study_pb2.ListStudiesResponse(studies=[two]))
    session._studies = pages  # type: ignore[assignment]
    assert [record.study for record in session.studies()] == [b"one", b"two"]
    assert pages.asked == ["", "behind one"]


def test_a_list_of_studies_comes_to_an_end(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAXIMUM_STUDIES", 5)
    one = study_pb2.StudyRecord(study=b"one", proposer="iris")
    for studies, code in (([], "study.pages"), ([one], "wire.too-many")):
        session._studies = Pages(study_pb2.ListStudiesResponse(studies=studies, next="x"))  # type: ignore[assignment]
        with pytest.raises(ProtocolError) as caught:
            session.studies()
        assert caught.value.code == code
