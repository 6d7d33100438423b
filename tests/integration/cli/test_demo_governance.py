"""``sealane demo governance`` as a process, outside a checkout: each step's outcome, and the files it leaves."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from command_line import run, run_well
from demo_run import demo_document

from sealane.cli.main import root

pytestmark = pytest.mark.integration
NODES = {"north", "south", "west"}
STEPS = ["publish", "catalog", "propose", "review", "counter", "amend", "sign", "run", "cost", "revoke", "refuse",
         "export", "verify", "falsify"]


@pytest.fixture(scope="module")
def document(where: Path) -> Any:
    return demo_document(where, "governance")


@pytest.fixture(scope="module")
def found(document: Any) -> dict[str, Any]:
    return {step["name"]: step["found"] for step in document["steps"]}


def test_every_step_is_taken_and_as_it_should_be(document: Any, where: Path) -> None:
    assert [(step["number"], step["name"]) for step in document["steps"]] == list(enumerate(STEPS, 1))
    assert [step["name"] for step in document["steps"] if not step["ok"]] == []
    assert (document["ok"], document["rows"]) == (True, "made up")
    assert list((where / "temporary").iterdir()) == []


def test_terms_are_negotiated(found: dict[str, Any]) -> None:
    assert set(found["publish"]["datasets"]) == NODES
    assert {entry["node"] for entry in found["catalog"]["entries"]} == NODES
    assert found["counter"]["changes"] == {"minimum_count": 20}
    assert found["counter"]["negotiation"] == {"north": "REQUESTED", "south": "OFFERED", "west": "REQUESTED"}
    assert found["amend"]["replaces"] == found["propose"]["study"] != found["amend"]["study"]
    assert found["sign"]["runs"] == {"value": 5, "set_by": "north"}


def test_the_run_is_made_and_metered(found: dict[str, Any]) -> None:
    assert set(found["run"]["endorsed_by"]) == NODES
    # What the rows were made with, and four standard errors of an unpenalised fit: 0.13 per point of interest, 0.3 per
    # inquiry.
    for name, truth, error in (("int_rate", 0.13, 0.011), ("inq_last_6mths", 0.3, 0.059)):
        assert abs(found["run"]["coefficients"][name] - truth) < 4 * error
    for used in found["cost"]["nodes"].values():
        assert (used["rows"], used["rounds"], used["outcome"]) == (600, found["run"]["rounds"], "completed")
        assert (used["releases"]["given"], used["epsilon"]) == (1, None)


def test_the_revocation_falls_into_the_run(found: dict[str, Any]) -> None:
    revoked = found["revoke"]
    assert revoked["run"] != found["run"]["run"]
    assert revoked["stopped"] == [revoked["run"]]
    assert 2 <= revoked["revoked_after_round"] <= revoked["ended_after_round"] < found["run"]["rounds"]
    assert (revoked["state"], revoked["error"]["code"]) == ("ABORTED", "study.revoked")
    assert 0 < revoked["stopped_after_s"] < 1.0


def test_the_next_start_is_refused_and_explained(found: dict[str, Any]) -> None:
    assert found["refuse"]["refused"]["code"] == "run.not-approved"
    assert found["refuse"]["refused"]["got"] == "without west"
    clauses = {(one["node"], one["clause"]) for one in found["refuse"]["why"]}
    assert ("west", "revocation") in clauses


def test_the_evidence_stays_and_verifies_by_command(document: Any, found: dict[str, Any], where: Path) -> None:
    out = where / "sealane-demo-governance"
    assert sorted(document["files"]) == sorted(str(path) for path in out.rglob("*") if path.is_file())
    assert document["report"] == str(out / "evidence" / "report.html")
    verified, = run_well("audit", "verify", out / "evidence", "--policy", out / "policy.json")
    assert (verified["run"], verified["study"]) == (found["run"]["run"], found["amend"]["study"])
    assert found["run"]["run"] in (out / "evidence" / "report.html").read_text()
    path = out / "evidence" / "endorsements.json"
    data = path.read_text()
    place = data.index('"signature":"') + len('"signature":"')
    path.write_text(data[:place] + ("1" if data[place] == "0" else "0") + data[place + 1:])
    done = run("audit", "verify", out / "evidence", "--policy", out / "policy.json", "--json")
    assert done.error["message"] == found["falsify"]["error"]["message"]
    assert "endorsements.json" in done.error["message"]


def test_every_command_shown_is_one(document: Any) -> None:
    shown = [command for step in document["steps"] for command in step["commands"]]
    assert len(shown) >= len(STEPS)
    for line in shown:
        program, *words = shlex.split(line)
        assert program == "sealane"
        command, context = root, click.Context(root)
        while isinstance(command, click.Group):
            inner = command.get_command(context, words.pop(0))
            assert inner is not None, line
            command = inner
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in words if re.match("--", word) and word not in known] == [], line
