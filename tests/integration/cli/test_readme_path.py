"""From nothing to a report with the command line: what the README promises, and what it refuses on the way."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import statsmodels.api as sm
from command_line import ENVIRONMENT, MODULE, Done, refused, run, run_alone, run_well, serving
from loans import CONTRACT
from small_federation import NODES, ROWS, Federation

from sealane.governance.agreement import verify_agreement
from sealane.governance.signed_statement import read_envelope
from sealane.governance.study import Participant, Recipient, make_study

pytestmark = pytest.mark.integration
FEATURES = ["annual_inc", "int_rate", "term_60"]
TABLE = """
name = "{name}"
sector = "finance"
purpose = "portfolio-statistics"
data_contract = "finance.credit-application/v1"
computation = "statistics.table"
scheme = "{scheme}"
epsilon = "{promise}"
delta = "1e-6"
[parameters]
columns = ["term", "int_rate"]
bins = {{int_rate = [10, 15, 20]}}
epsilon = "4"
delta = "1e-6"
"""


def _database(federation: Federation) -> sqlite3.Connection:
    return sqlite3.connect(federation.coordinator / "coordinator.sqlite", isolation_level=None)


def test_from_proposal_to_report(federation: Federation, tmp_path: Path) -> None:
    study = federation.propose("scorecard")
    error = refused("study.unverified-peer", 3, "study", "approve", "scorecard", "--home", federation.nodes["west"])
    assert error["got"] == "alice"
    run_well("node", "trust", "alice", federation.fingerprints["alice"], "--home", federation.nodes["west"])
    peers = run_well("node", "peers", "--home", federation.nodes["west"])
    assert {peer["name"]: peer["trust"] for peer in peers} == dict.fromkeys(["alice", "north", "south"], "verified")

    error = refused("run.not-approved", 3, "run", "start", "scorecard", "--home", federation.analyst)
    assert set(error["got"].removeprefix("without ").split(", ")) == set(NODES)
    refused("dataset.unknown", 2, "study", "approve", "scorecard", "--dataset", "lones", "--home",
            federation.nodes["west"])
    federation.approve_everywhere("scorecard")
    shown = run_well("study", "show", study[:12], "--home", federation.analyst)
    assert (shown["hash"], shown["approvals"], shown["participants"]) == (study, 3, 3)
    assert {s["node"]: s["decision"] for s in shown["statements"]} == dict.fromkeys(NODES, "approved")
    assert [s["decision"] for s in run_well("study", "list", "--home", federation.nodes["north"])] == ["approved"]

    done = run_alone("run", "start", "scorecard", "--json", "--home", federation.analyst)
    assert done.code == 0, done
    result = done.document
    assert (result["state"], sorted(result["endorsed_by"]), result["study"]) == ("COMPLETED", sorted(NODES), study)
    assert set(result["bytes_sent"]) == set(NODES)
    assert "completed" in done.err  # progress, as plain lines
    pooled = pd.concat(federation.frames.values()).assign(term_60=lambda f: (f["term"] == "term_60").astype(float))
    expected = sm.GLM(pooled["bad"], sm.add_constant(pooled[FEATURES]), family=sm.families.Binomial()).fit(tol=1e-12)
    names = dict(zip(["const", *FEATURES], ["Intercept", "annual_inc", "int_rate", "term[T.term_60]"], strict=True))
    for theirs, ours in names.items():
        assert result["result"]["coefficients"][ours] == pytest.approx(expected.params[theirs], rel=1e-6)
    assert result["result"]["nobs"] == ROWS * len(NODES)

    told = run("run", "report", result["run"][:8], "--out", tmp_path / "report", "--home", federation.analyst)
    assert told.code == 0, told
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["run"], report["cohort"]) == (result["run"], sorted(NODES))
    assert {c["name"] for c in report["coefficients"]} == set(names.values())
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.startswith("<!doctype html>")
    assert study in page
    assert "term[T.term_60]" in told.out

    assert run_well("run", "show", result["run"], "--home", federation.nodes["north"])["state"] == "COMPLETED"
    assert [r["run"] for r in run_well("run", "list", "--home", federation.analyst)] == [result["run"]]
    refused("run.over", 3, "run", "cancel", result["run"], "--home", federation.analyst)
    status = run_well("coordinator", "status", "--home", federation.coordinator)
    assert status["serving"] is True
    assert {p["name"] for p in status["parties"] if p["connected"]} == set(NODES)


def test_all_is_well_says_the_doctor(federation: Federation) -> None:
    for home in (federation.coordinator, federation.analyst, federation.nodes["north"]):
        done = run("doctor", "--json", "--home", home)
        assert [c for c in done.document["checks"] if c["status"] == "fail"] == []
        assert (done.code, done.document["ok"]) == (0, True)
    names = [check["name"] for check in done.document["checks"]]
    assert {"port", "clock", "certificate", "versions", "peers", "disk", "tls", "dataset", "refused"} <= set(names)


def test_a_refusal_is_final_and_said_to_all(federation: Federation) -> None:
    federation.propose("unwanted")
    run_well("study", "refuse", "unwanted", "--reason", "not our purpose", "--home", federation.nodes["south"])
    refused("study.refused-before", 3, "study", "approve", "unwanted", "--home", federation.nodes["south"])
    refused("run.not-approved", 3, "run", "start", "unwanted", "--home", federation.analyst)
    found = [c for c in run("doctor", "--json", "--home", federation.analyst).document["checks"]
             if c["name"] == "study" and "not our purpose" in c["message"]]
    assert [c["status"] for c in found] == ["warn"]


def test_a_tampered_study_is_not_run(federation: Federation) -> None:
    study = federation.propose("tampered")
    federation.approve_everywhere("tampered")
    with closing(_database(federation)) as database:
        body, = database.execute("SELECT body FROM studies WHERE hash = ?", (study,)).fetchone()
        other = body.replace(b'"minimum_count":10', b'"minimum_count":1')
        assert other != body
        database.execute("UPDATE studies SET body = ? WHERE hash = ?", (other, study))
    error = run("run", "start", "tampered", "--json", "--home", federation.analyst)
    assert (error.code, error.error["code"]) == (4, "statement.other-study")
    listed = {s["name"]: s["decision"] for s in run_well("study", "list", "--home", federation.analyst)}
    assert listed["tampered"] == "statement.other-study"
    assert run("study", "show", study, "--home", federation.analyst).code == 4
    counted = {s["name"]: s["approvals"] for s in run_well("coordinator", "status", "--home",
                                                           federation.coordinator)["studies"]}
    assert (counted["scorecard"], counted["tampered"]) == (3, 0)
    with closing(_database(federation)) as database:
        database.execute("UPDATE studies SET body = ? WHERE hash = ?", (body, study))


def test_a_label_that_was_raised_stops_the_next_run(federation: Federation) -> None:
    federation.propose("graded")
    federation.approve_everywhere("graded")
    grade = ("dataset", "grade", "loans", "--home", federation.nodes["west"])
    run_well(*grade, "--set", "int_rate=internal:5")
    done = run("run", "start", "graded", "--json", "--home", federation.analyst)
    assert (done.code, done.error["code"]) == (3, "protection.core-data")
    refused("grade.reason-missing", 3, *grade, "--set", "int_rate=internal:2")
    run_well(*grade, "--set", "int_rate=internal:3")
    assert run_well("run", "start", "graded", "--home", federation.analyst)["state"] == "COMPLETED"


def test_rows_that_break_the_contract_are_reported_by_number(federation: Federation, tmp_path: Path) -> None:
    frame = federation.frames["north"].copy()
    frame.loc[:4, "int_rate"] = 666.25
    frame.loc[3:5, "term"] = "term_12"
    frame.to_csv(tmp_path / "broken.csv", index=False)
    add = ("dataset", "add", "broken", "--from", tmp_path / "broken.csv", "--contract", CONTRACT, "--home",
           federation.nodes["north"])
    done, text = run(*add, "--json"), run(*add)
    assert (done.code, done.error["code"]) == (3, "dataset.violates-contract")
    failures = {(f["field"], f["rows"]) for f in done.document["report"]["failures"]}
    assert failures == {("int_rate", 5), ("term", 3)}
    assert (text.code, text.out) == (3, "")
    assert "666" not in done.out + text.err
    added = run_well(*add, "--drop-invalid")
    assert (added["rows"], added["invalid"]) == (ROWS, 6)
    assert run_well("dataset", "withdraw", "broken", "--home", federation.nodes["north"])["studies"] == []
    assert [d["name"] for d in run_well("dataset", "list", "--home", federation.nodes["north"])] == ["loans"]
    refused("dataset.unknown", 2, "dataset", "withdraw", "broken", "--home", federation.nodes["north"])


def invitation(federation: Federation, name: str) -> str:
    done = run("coordinator", "invite", name, "--home", federation.coordinator)
    assert done.code == 0
    return done.out.strip()


def enrol(text: str, home: Path) -> Done:
    return run("node", "enrol", text, "--home", home, "--json")


def test_tokens_that_are_wrong_spent_or_late(federation: Federation, tmp_path: Path) -> None:
    from sealane.core.secret import Secret
    from sealane.rpc.invitation import parse_invitation

    text = invitation(federation, "east")
    forged = parse_invitation(text)
    object.__setattr__(forged, "token", Secret(bytes(32)))
    done = enrol(forged.to_text(), tmp_path / "forged")
    assert (done.code, done.error["code"]) == (3, "auth.token-unknown")
    assert done.error["hint"]
    assert enrol(text, tmp_path / "east").code == 0
    done = enrol(text, tmp_path / "again")
    assert (done.code, done.error["code"]) == (3, "auth.token-used")
    late = invitation(federation, "late")
    with closing(_database(federation)) as database:
        database.execute("UPDATE invitations SET expires_at = '2020-01-01T00:00:00Z' WHERE name = 'late'")
    done = enrol(late, tmp_path / "late")
    assert (done.code, done.error["code"]) == (3, "auth.token-expired")
    done = run("analyst", "enrol", late, "--home", tmp_path / "late", "--json")
    assert (done.code, done.error["code"]) == (2, "invitation.other-role")
    assert run("coordinator", "remove", "east", "--home", federation.coordinator).code == 0
    done = run("node", "serve", "--home", tmp_path / "nobody", "--json")
    assert (done.code, done.error["code"]) == (2, "identity.missing")


def test_a_port_in_use(federation: Federation, tmp_path: Path) -> None:
    listen = run_well("coordinator", "status", "--home", federation.coordinator)["main"]
    run_well("coordinator", "init", "--home", tmp_path / "second", "--listen", listen)
    done = run_alone("coordinator", "serve", "--home", tmp_path / "second", "--json")
    assert (done.code, done.error["code"]) == (75, "listen.failed")
    assert "doctor" in done.error["hint"]


def test_a_home_is_served_once_and_its_socket_is_its_owner_s(federation: Federation) -> None:
    home = federation.nodes["north"]
    done = run_alone("node", "serve", "--home", home, "--json")
    assert (done.code, done.error["code"]) == (3, "home.in-use")
    assert (home / "control.sock").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_ends_quietly_and_leaves_nothing(federation: Federation) -> None:
    invited = federation.root / "brief.txt"
    invited.write_text(invitation(federation, "brief"))
    home = federation.root / "brief"
    run_well("node", "enrol", invited, "--home", home)
    with serving("node", home, end=signal.SIGINT, code=130):
        assert (home / "control.sock").exists()
    assert not (home / "control.sock").exists()
    lines = [json.loads(line) for line in home.with_suffix(".log").read_text().splitlines()]
    assert [line["event"] for line in lines][-1] == "node.stopped"
    run_well("coordinator", "remove", "brief", "--home", federation.coordinator)


def test_a_closed_pipe_is_no_error(federation: Federation) -> None:
    process = subprocess.Popen([*MODULE, "run", "list", "--home", str(federation.analyst)], env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) in (1, 141)


def test_a_run_waits_for_a_node_in_quarantine_and_can_be_cancelled(federation: Federation) -> None:
    federation.propose("waiting")
    federation.approve_everywhere("waiting")
    eventually(lambda: run_well("study", "show", "waiting", "--home", federation.analyst)["approvals"] == 3)
    run_well("coordinator", "quarantine", "west", "--home", federation.coordinator)
    eventually(lambda: connected(federation) == {"north", "south"})
    problem = eventually(lambda: run_well("node", "status", "--home", federation.nodes["west"])["problem"])
    assert problem["code"].startswith("auth.")
    started = run_well("run", "start", "waiting", "--no-watch", "--home", federation.analyst)
    shown = eventually(lambda: waiting_for(federation, started["run"], "west"))
    assert shown["state"] == "PROPOSED"
    refused("run.under-way", 3, "run", "start", "waiting", "--home", federation.analyst)
    assert_watching_can_be_interrupted(federation, started["run"])
    for verb, code, exit_code in (("report", "result.not-yet", 75), ("resume", "run.not-paused", 3)):
        done = run("run", verb, started["run"], "--json", "--home", federation.analyst)
        assert (done.code, done.error["code"]) == (exit_code, code)
    cancelled = run_well("run", "cancel", started["run"], "--home", federation.analyst)
    assert (cancelled["state"], cancelled["error"]["code"]) == ("ABORTED", "run.cancelled")
    assert run("run", "watch", started["run"], "--home", federation.analyst).code == 3
    for home in (federation.analyst, federation.nodes["north"], federation.coordinator):
        told = [c["message"] for c in run("doctor", "--json", "--home", home).document["checks"]
                if c["name"] == "refused"]
        assert any(started["run"] in message and "run.cancelled" in message for message in told)
    run_well("coordinator", "reinstate", "west", "--home", federation.coordinator)
    eventually(lambda: connected(federation) == set(NODES), seconds=30)


def assert_watching_can_be_interrupted(federation: Federation, run_id: str) -> None:
    watching = subprocess.Popen([*MODULE, "run", "watch", run_id, "--home", str(federation.analyst)], env=ENVIRONMENT,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    assert "waiting for west" in watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=10)
    assert (watching.returncode, out) == (130, "")
    assert err.strip() == f"hint: the run goes on: `sealane run watch {run_id}`, or `sealane run cancel {run_id}`"


def connected(federation: Federation) -> set[str]:
    status = run_well("coordinator", "status", "--home", federation.coordinator)
    return {party["name"] for party in status["parties"] if party["connected"]}


def waiting_for(federation: Federation, run_id: str, name: str) -> Any:
    shown = run_well("run", "show", run_id, "--home", federation.analyst)
    return shown if name in shown["waiting_for"] else None


def eventually(look: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return what looking finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_another_analyst_gets_nothing(federation: Federation, tmp_path: Path) -> None:
    invited = run_well("coordinator", "invite", "eve", "--role", "analyst", "--home", federation.coordinator)
    run_well("analyst", "enrol", invited["invitation"], "--home", tmp_path / "eve")
    completed = next(r for r in run_well("run", "list", "--home", tmp_path / "eve") if r["state"] == "COMPLETED")
    for verb, named, code in (("start", "scorecard", "auth.not-a-recipient"),
                              ("report", completed["run"], "result.not-a-recipient")):
        done = run("run", verb, named, "--json", "--home", tmp_path / "eve")
        assert (done.code, done.error["code"]) == (3, code)
    run_well("coordinator", "remove", "eve", "--home", federation.coordinator)
    done = run("run", "list", "--json", "--home", tmp_path / "eve")
    assert (done.code, done.error["code"].partition(".")[0]) == (3, "auth")


def test_an_auditor_reads_what_was_recorded(federation: Federation) -> None:
    invited = run_well("coordinator", "invite", "ben", "--role", "auditor", "--home", federation.coordinator)
    done = run_alone("auditor", "enrol", "--home", federation.root / "ben", stdin=invited["invitation"])
    assert done.code == 0, done
    events = run_well("auditor", "events", "--home", federation.root / "ben")
    kinds = [event["kind"] for event in events]
    assert {"coordinator.started", "node.connected", "study.proposed", "study.approved"} <= set(kinds)
    later = run_well("auditor", "events", "--after", events[1]["sequence"], "--limit", 2, "--home",
                     federation.root / "ben")
    assert later == events[2:4]
    refused("home.other-role", 2, "auditor", "events", "--home", federation.analyst)
    run_well("coordinator", "remove", "ben", "--home", federation.coordinator)


def propose_table(federation: Federation, name: str, scheme: str, promise: str = "4") -> None:
    file = federation.root / f"{name}.toml"
    file.write_text(TABLE.format(name=name, scheme=scheme, promise=promise))
    run_well("study", "check", file)
    run_well("study", "propose", file, "--home", federation.analyst)


def test_a_table_with_noise_is_charged_and_refused_past_a_cap(federation: Federation) -> None:
    cheap = federation.root / "cheap.toml"
    cheap.write_text(TABLE.format(name="cheap", scheme="masking", promise="3"))
    refused("study.price-exceeded", 3, "study", "check", cheap)
    propose_table(federation, "masked", "masking")
    propose_table(federation, "encrypted", "rlwe")
    federation.approve_everywhere("masked")
    federation.approve_everywhere("encrypted")

    done = run_alone("run", "start", "masked", "--json", "--home", federation.analyst)
    assert (done.code, done.error["code"]) == (3, "ledger.no-cap")  # a steward decides first what may be spent
    for home in federation.nodes.values():
        run_well("ledger", "cap", "loans", "--epsilon", "6.5", "--delta", "1e-6", "--home", home)

    pooled = pd.concat(federation.frames.values())
    bins = pd.cut(pooled["int_rate"], [0, 10, 15, 20, 30], right=False)
    expected = pd.crosstab(pooled["term"], bins).to_numpy().ravel()
    for number, name in enumerate(("masked", "encrypted"), start=1):
        done = run_alone("run", "start", name, "--json", "--home", federation.analyst)
        assert done.code == 0, done
        result = done.document["result"]
        shown = [one for row in range(2) for one in result["counts"][5 * row : 5 * row + 4]]
        error = result["promise"]["standard_error"]
        assert 1 < error < 3  # epsilon 4 at 1e-6 takes a deviation of about 1.4 over two of the three nodes
        assert all(one is None or abs(one - exact) < 8 * error for one, exact in zip(shown, expected, strict=True))
        assert sum(one is not None for one in shown) == 8
        assert [one for one, exact in zip(shown, expected, strict=True) if one != exact]
        for home in federation.nodes.values():
            found, = run_well("ledger", "show", "loans", "--home", home)
            entries = [e for e in run_well("ledger", "explain", "loans", "--home", home)["entries"] if e["mechanism"]]
            charged = [e for e in entries if e["state"] == "COMMITTED"]
            assert [e["recipients"] for e in charged] == [["alice"]] * number
            assert float(found["total"]["spent"]) > 3.5
            assert found["total"]["reserved"] == "0"

    done = run_alone("run", "start", "masked", "--json", "--home", federation.analyst)
    assert (done.code, done.error["code"]) == (3, "ledger.cap-exceeded")
    assert "the cap of dataset loans" in done.error["message"]
    assert "left" in done.error["expected"]
    for name in NODES:
        found, = run_well("ledger", "show", "loans", "--home", federation.nodes[name])
        assert float(found["total"]["spent"]) <= 6.5


def test_an_agreement_from_offer_to_revocation(federation: Federation, tmp_path: Path) -> None:
    """Propose, counter, amend, review, sign narrower terms, be refused, find out why, suspend, resume, revoke."""
    nodes, alice = federation.nodes, federation.analyst
    for name in NODES:
        run_well("node", "trust", "alice", federation.fingerprints["alice"], "--home", nodes[name])
    first = federation.propose("negotiated")
    refused("counter.unknown-field", 2, "study", "counter", first, "--set", "name=x", "--reason", "no", "--home",
            nodes["south"])
    offer = run_well("study", "counter", first, "--set", "minimum_count=20", "--set", "parameters.confidence=0.9",
                     "--reason", "small towns", "--home", nodes["south"])
    assert (offer["decision"], offer["sent"]) == ("countered", True)
    shown = run_well("study", "show", first, "--home", alice)
    assert shown["negotiation"] == {"north": "REQUESTED", "south": "OFFERED", "west": "REQUESTED"}
    assert "small towns" in run("study", "show", first, "--home", alice).out
    refused("counter.none", 2, "study", "amend", first, "--from", "west", "--home", alice)
    second = run_well("study", "amend", first, "--from", "south", "--home", alice)
    assert (second["replaces"], second["changes"]["minimum_count"]) == (first, 20)
    study = second["hash"]
    federation.await_study(study)
    run_well("study", "approve", study, "--home", nodes["north"])
    shown = run_well("study", "show", study, "--home", alice)
    assert shown["negotiation"] == {"north": "VERIFIED", "south": "ACCEPTED", "west": "REQUESTED"}
    assert (shown["study"]["minimum_count"], shown["study"]["parameters"]["confidence"]) == (20, 0.9)

    (nodes["south"] / "defaults.toml").write_text("runs = 4\nminimum_count = 5\n")
    review = run_well("study", "review", study, "--rounds", "150", "--home", nodes["south"])
    assert review["narrower"] == {"rounds": {"study": 200, "here": 150}, "runs": {"study": 10, "here": 4}}
    assert review["recipients"] == ["alice"]
    told = run("study", "review", study, "--home", nodes["south"]).out
    assert "no noise is added" in told
    assert "other nodes also see" in told
    refused("agreement.wider-than-study", 3, "study", "approve", study, "--rounds", "500", "--home", nodes["south"])
    refused("agreement.unknown-choice", 2, "study", "approve", study, "--recipient", "bob", "--home", nodes["south"])
    refused("agreement.recipient-abroad", 3, "study", "approve", study, "--jurisdiction", "DE", "--home",
            nodes["south"])
    refused("agreement.budget-undeclared", 3, "study", "approve", study, "--epsilon", "1", "--home", nodes["south"])
    refused("agreement.bad-moment", 2, "study", "approve", study, "--expires", "soon", "--home", nodes["south"])
    refused("tariff.malformed", 2, "study", "approve", study, "--tariff", "cheap", "--home", nodes["south"])
    signed = run_well("study", "approve", study, "--rounds", "1", "--tariff", "EUR 12.50 per run, 3 per round",
                      "--home", nodes["south"])
    assert signed["narrower"] == {"rounds": 1, "runs": 4}
    assert signed["tariff"] == {"currency": "EUR", "per_run": "12.50", "per_million_rows": "0", "per_round": "3",
                                "per_epsilon": "0"}
    refused("study.approved-otherwise", 3, "study", "approve", study, "--rounds", "2", "--home", nodes["south"])
    run_well("study", "approve", study, "--home", nodes["west"])
    assert set(run_well("study", "show", study, "--home", alice)["negotiation"].values()) == {"FINALIZED"}

    done = run("run", "start", study, "--json", "--home", alice)
    assert (done.code, done.error["code"]) == (3, "agreement.rounds-exhausted")
    assert "agreement of south" in done.error["message"]
    stopped = next(one["run"] for one in run_well("run", "list", "--home", alice) if one["study"] == study)
    told = run_well("why", stopped, "--home", alice)["refusals"]
    assert [(one["clause"], one["error"]["got"], one["error"]["expected"]) for one in told] == [
        ("rounds", "round 1", "0 to 0")]
    assert told[0]["node"] in NODES
    own = run_well("why", stopped, "--home", nodes[told[0]["node"]])
    assert [(one["clause"], one["moment"], one["run"]) for one in own["refusals"]] == [("rounds", "round", stopped)]
    text = run("why", study, "--home", alice).out
    assert "a run may have so many rounds" in text
    earlier = run_well("why", study, "--home", nodes["south"])["refusals"]
    assert {"agreement.wider-than-study", "agreement.budget-undeclared"} <= {one["error"]["code"] for one in earlier}
    assert run_well("agreement", "show", study, "--home", nodes["west"])["limits"]["rounds"] == {
        "value": 1, "set_by": "south"}

    states = {one["hash"]: (one["state"], one["negotiation"])
              for one in run_well("agreement", "list", "--home", nodes["north"])}
    assert states[study] == ("ACTIVE", "FINALIZED")
    run_well("agreement", "suspend", study, "--home", nodes["north"])
    refused("agreement.illegal-transition", 3, "agreement", "suspend", study, "--home", nodes["north"])
    done = run("run", "start", study, "--json", "--home", alice)
    assert (done.code, done.error["code"]) == (3, "agreement.suspended")
    assert run_well("agreement", "resume", study, "--home", nodes["north"])["state"] == "ACTIVE"
    out = tmp_path / "north.dsse"
    run_well("agreement", "show", study, "--out", out, "--home", nodes["north"])
    verified = verify_agreement(read_envelope(out.read_bytes()), make_study(**_fields(shown["study"])))
    assert (verified.node, verified.terms.rounds) == ("north", 200)
    run_well("agreement", "revoke", study, "--reason", "consent withdrawn", "--home", nodes["north"])
    refused("run.not-approved", 3, "run", "start", study, "--home", alice)
    told = run_well("why", study, "--home", alice)["refusals"]
    assert ("north", "consent withdrawn") in {(one["node"], one["error"]["got"]) for one in told}
    refused("agreement.none", 2, "agreement", "show", first, "--home", nodes["north"])
    refused("counter.decided-before", 3, "study", "counter", study, "--set", "rounds=9", "--reason", "late", "--home",
            nodes["west"])


def _fields(study: dict[str, Any]) -> dict[str, Any]:
    return study | {"participants": [Participant(**one) for one in study["participants"]],
                    "recipients": [Recipient(**one) for one in study["recipients"]]}
