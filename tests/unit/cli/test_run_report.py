from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from command_line import run

from sealane.cli.run_report import report_fields, write_report
from sealane.cli.run_view import line, present
from sealane.cli.study_view import find
from sealane.client.report import parse_report
from sealane.client.result_file import read_result
from sealane.client.session import Opened, Session
from sealane.client.status import RunStatus
from sealane.core.canonical import canonical_bytes
from sealane.core.ids import fingerprint
from sealane.errors import ProtocolError, RefusedError, UnavailableError
from sealane.governance.study import Participant, Study, make_study
from sealane.rpc.notices import StudyRecord

STUDY = make_study(
    name="scorecard", sector="finance", purpose="credit-risk", data_contract="finance.credit-application/v1",
    computation="statistics.describe", parameters={"columns": ["bad"]}, expires="2030-01-01T00:00:00Z",
    participants=[Participant(name=name, fingerprint=fingerprint(name.encode())) for name in ("a", "b", "c")])
PAYLOAD = {
    "computation": "statistics.describe", "rows": 40, "minimum_count": 10, "institutions": 3, "by": None,
    "groups": ["all"],
    "rounded_to": None, "digits": None, "promise": None, "group_rules": {}, "columns": {
        "bad": {"type": "number", "unit": None, "groups": {"all": {
            "count": 40, "missing": 0, "mean": 0.5, "std": 0.5, "variance": 0.25, "skewness": 0.0, "rules": {}}}}}}
DOCUMENT = b"s" * 32 + canonical_bytes(PAYLOAD)


def status(state: str = "COMPLETED", error: RefusedError | None = None, waiting: tuple[str, ...] = ()) -> RunStatus:
    return RunStatus("r-" + "a" * 16, STUDY.hash, state, 0, 3, ("c", "a", "b"), waiting, {"a": 1500, "b": 500, "c": 0},
                     1.25, "2026-01-01T00:00:00Z", error)


def test_a_report_without_a_model_is_a_report() -> None:
    opened = Opened(STUDY, status(), PAYLOAD, ("a", "b", "c"), DOCUMENT)
    fields = report_fields(opened, datetime(2026, 1, 1, tzinfo=UTC))
    report = parse_report(fields)
    assert (report.cohort, report.rounds, report.coefficients, report.run) == (["a", "b", "c"], 3, [], "r-" + "a" * 16)
    assert report.study.hash == STUDY.hash


def test_files_are_written_whole_over_earlier_ones(tmp_path: Path) -> None:
    fields = report_fields(Opened(STUDY, status(), PAYLOAD, (), DOCUMENT), datetime(2026, 1, 1, tzinfo=UTC))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("old")
    written = write_report(fields, DOCUMENT, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == fields
    handed = read_result((tmp_path / "out" / "result.json").read_bytes())
    assert (handed.run, handed.payload, handed.hash) == (
        fields["run"], PAYLOAD, hashlib.sha256(DOCUMENT).hexdigest())
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError) as caught:
        write_report(fields, DOCUMENT, tmp_path / "file")
    assert caught.value.code == "report.not-written"


def test_progress_on_a_line() -> None:
    assert line(status("RUNNING", waiting=("b",))) == "running: round 3, 2.0 kB by 3 nodes, waiting for b"
    assert line(status()) == "completed: round 3, 2.0 kB by 3 nodes"


def test_a_run_that_was_refused_says_why_and_what_to_do() -> None:
    text = present(status("ABORTED", RefusedError("x.y", "no", got="3", hint="do this")))
    assert "no [x.y]" in text
    assert "do this" in text
    assert "expected" not in text


@pytest.mark.parametrize("wanted", ["other", "0" * 64])
def test_another_study_than_was_asked_for(wanted: str) -> None:
    session = SimpleNamespace(study=lambda name: StudyRecord(STUDY.canonical(), "alice", "2026-01-01T00:00:00Z"))
    assert found(session, "scorecard") == found(session, STUDY.hash[:8]) == STUDY
    with pytest.raises(ProtocolError) as caught:
        found(session, wanted)
    assert caught.value.code == "study.hash-differs"


def found(session: Any, wanted: str) -> Study:
    return find(cast("Session", session), wanted)[1]


@pytest.mark.parametrize("verb", [("start", "s"), ("watch", "r-a"), ("show", "r-a"), ("list",), ("resume", "r-a"),
                                  ("cancel", "r-a"), ("report", "r-a")])
def test_no_verb_works_without_an_identity(tmp_path: Path, verb: tuple[str, ...]) -> None:
    done = run("run", *verb, "--json", "--home", tmp_path)
    assert (done.code, done.error["code"]) == (2, "identity.missing")
