"""From the command line, between real processes: publish, look, withdraw; run, meter, settle, countersign, verify."""

from __future__ import annotations

import base64
import csv
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import refused, run, run_well
from small_federation import NODES, ROWS, Federation

from sealane.core.canonical import canonical_bytes
from sealane.core.clock import system_clock, to_text
from sealane.governance.publication import verify_publication
from sealane.governance.publication_file import read_publication
from sealane.governance.statement import Settlement, sign_statement, write_statement
from sealane.governance.statement import settle as settle_events
from sealane.rpc.identity import load_identity

pytestmark = pytest.mark.integration
TARIFF = "EUR 10.00 per run, 1000 per million rows, 0.01 per round"


def entries(home: Path, *filters: str) -> dict[str, str]:
    return {f"{e['node']}/{e['dataset']}": e["trust"] for e in run_well("catalog", "list", *filters, "--home", home)}


def await_entries(home: Path, wanted: set[str]) -> None:
    deadline = time.monotonic() + 5  # one message, on a machine that may be busy
    while set(entries(home)) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def await_study(home: Path, study: str) -> None:
    deadline = time.monotonic() + 5
    while study not in [one["hash"] for one in run_well("study", "list", "--home", home)]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_publish_look_and_withdraw(federation: Federation, tmp_path: Path) -> None:
    north, south = federation.nodes["north"], federation.nodes["south"]
    said = run_well("dataset", "publish", "loans", "--title", "Loans of the north", "--keyword", "credit", "--purpose",
                    "credit-risk", "--term", "Aggregates only.", "--steward", "Data office",
                    "--minimum-count", 50, "--home", north)
    assert (said["sent"], said["rows"], said["rounded_to"]) == (True, ROWS // 50 * 50, 50)
    run_well("dataset", "publish", "loans", "--home", south)
    await_entries(federation.analyst, {"north/loans", "south/loans"})
    assert entries(federation.analyst, "--purpose", "anti-fraud") == {"south/loans": "unknown"}
    run_well("analyst", "trust", "north", federation.fingerprints["north"], "--home", federation.analyst)
    assert entries(federation.analyst)["north/loans"] == "verified"
    assert entries(federation.nodes["west"]) == {"north/loans": "verified", "south/loans": "verified"}
    found = run_well("catalog", "search", "aggregates NORTH", "--field", "int_rate", "--home", federation.analyst)
    assert [one["node"] for one in found] == ["north"]
    shown = run("catalog", "show", "north/loans", "--home", federation.analyst)
    assert "Aggregates only." in shown.out
    assert "rounded down to a multiple of 50" in shown.out
    signed = tmp_path / "signed.json"
    run("catalog", "show", "north/loans", "--output", signed, "--home", federation.analyst)
    assert verify_publication(read_publication(signed.read_bytes())).dataset == "loans"
    refused("catalog.unknown", 2, "catalog", "show", "north/farms", "--home", federation.analyst)

    for form, kind in (("dcat-ap", "dcat:Catalog"), ("dsp", "Catalog")):
        output = federation.root / f"{form}.jsonld"
        run_well("catalog", "export", "--format", form, "--output", output, "--home", federation.analyst)
        assert json.loads(output.read_text())["@type"] == kind
        assert "Loans of the north" in output.read_text()

    run_well("dataset", "unpublish", "loans", "--home", north)
    await_entries(federation.analyst, {"south/loans"})
    refused("publication.none", 3, "dataset", "unpublish", "farms", "--home", north)


@pytest.fixture(scope="module")
def auditor(federation: Federation) -> Path:
    """An auditor's home, enrolled."""
    invited = run("coordinator", "invite", "vera", "--role", "auditor", "--home", federation.coordinator)
    (federation.root / "vera.txt").write_text(invited.out)
    run_well("auditor", "enrol", federation.root / "vera.txt", "--home", federation.root / "vera")
    return federation.root / "vera"


def test_an_auditor_reads_the_catalog_and_what_was_decided_about_it(federation: Federation, auditor: Path) -> None:
    assert entries(auditor) == {"south/loans": "unknown"}
    recorded = run_well("auditor", "events", "--limit", 500, "--home", auditor)
    acts = [(e["kind"], e["party"], e["detail"]) for e in recorded if e["kind"].startswith("dataset.")]
    assert acts == [("dataset.published", "north", "loans"), ("dataset.published", "south", "loans"),
                    ("dataset.withdrawn", "north", "loans")]


def test_another_key_than_the_known_one_is_said(federation: Federation) -> None:
    run_well("dataset", "publish", "loans", "--home", federation.nodes["west"])
    run_well("analyst", "trust", "west", federation.fingerprints["south"], "--home", federation.analyst)
    await_entries(federation.analyst, set(entries(federation.analyst)) | {"west/loans"})
    done = run("catalog", "list", "--home", federation.analyst)
    assert "differs" in done.out
    assert "warning: west's entries are signed by another key" in done.err
    run_well("analyst", "trust", "west", federation.fingerprints["west"], "--home", federation.analyst)


@pytest.fixture(scope="module")
def finished(federation: Federation) -> dict[str, Any]:
    """A run that completed, as the analyst sees it."""
    run_well("node", "trust", "alice", federation.fingerprints["alice"], "--home", federation.nodes["west"])
    study = federation.propose("metered")
    for home in federation.nodes.values():
        await_study(home, study)
    for name, home in federation.nodes.items():  # north signs a tariff, the others none
        run_well("study", "approve", study, *(("--tariff", TARIFF) if name == "north" else ()), "--home", home)
    found: dict[str, Any] = run_well("run", "start", study, "--home", federation.analyst)
    return found


def test_nodes_analyst_and_auditor_see_what_a_run_used(
    federation: Federation, finished: dict[str, Any], auditor: Path
) -> None:
    seen = run_well("metering", "show", "--run", finished["run"], "--home", federation.analyst)["runs"]
    assert run_well("metering", "show", "--study", "metered", "--home", auditor)["runs"] == seen
    assert {one["node"] for one in seen} == set(NODES)
    for one in seen:
        own = run_well("metering", "show", "--study", "metered", "--home", federation.nodes[one["node"]])
        event, = own["events"]
        assert (event["run"], event["rounds"], event["rows"]) == (finished["run"], one["rounds"], ROWS)
        assert event["bytes_sent"] >= one["bytes_sent"] > 0
        assert own["totals"]["cpu_us"] == event["cpu_us"] > 0
    assert "completed" in run("metering", "show", "--home", federation.nodes["north"]).out
    assert "COMPLETED" in run("metering", "show", "--study", "metered", "--home", federation.analyst).out


def asked(output: Path) -> list[Any]:
    now = system_clock()
    return ["metering", "statement", "--study", "metered", "--from", to_text(now - timedelta(hours=1)),
            "--to", to_text(now + timedelta(hours=1)), "--output", output, "--csv", output.with_suffix(".csv")]


def settle(federation: Federation, output: Path) -> dict[str, Any]:
    made: dict[str, Any] = run_well(*asked(output), "--home", federation.nodes["north"])
    return made["statement"]  # type: ignore[no-any-return]


def test_the_tariff_is_the_one_that_the_node_signed(
    federation: Federation, finished: dict[str, Any], tmp_path: Path
) -> None:
    file, by_hand = tmp_path / "statement.json", tmp_path / "tariff.toml"
    by_hand.write_text('currency = "EUR"\nper_run = "99"\n')
    refused("settlement.tariff-agreed", 2, *asked(file), "--tariff", by_hand, "--home", federation.nodes["north"])
    refused("settlement.no-tariff", 2, *asked(file), "--home", federation.nodes["south"])
    said = Settlement.model_validate(settle(federation, file))
    assert said.agreement is not None
    shown = run("metering", "countersign", file, "--home", federation.analyst).out
    assert f"agreement {said.agreement[:16]}" in shown

    dearer = settle_events(
        node=said.node, recipient=said.recipient, study=said.study, study_name=said.study_name, events=said.events,
        tariff=said.tariff.model_copy(update={"per_run": "99"}), agreement=said.agreement,
        period=(said.period_from, said.period_to), issued_at=said.issued_at)
    file.write_bytes(write_statement(sign_statement(load_identity(federation.nodes["north"]).signing_key, dearer)))
    error = refused("settlement.tariff-differs", 4, "metering", "countersign", file, "--home", federation.analyst)
    assert error["expected"].startswith(TARIFF)

    refused("output.exists", 3, *asked(file), "--tariff", by_hand, "--home", federation.nodes["south"])
    file.unlink()
    run_well(*asked(file), "--tariff", by_hand, "--home", federation.nodes["south"])
    assert "given by hand" in run("metering", "countersign", file, "--home", federation.analyst).out


def test_settled_by_both_sides(federation: Federation, finished: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "statement.json"
    statement = settle(federation, file)
    rounds = statement["totals"]["rounds"]
    amounts = [line["amount"] for line in statement["lines"]]
    assert amounts == ["10.00", "0.24", f"{rounds / 100:.2f}", "0.00"]  # 240 of a million rows at 1000
    assert statement["due"] == f"{10.24 + rounds / 100:.2f}"
    rows = list(csv.DictReader(file.with_suffix(".csv").open()))
    assert int(rows[-1]["bytes_sent"]) == sum(int(row["bytes_sent"]) for row in rows[:-1])

    refused("settlement.not-signed", 3, "metering", "verify", file, "--both", "--home", federation.analyst)
    both = run_well("metering", "countersign", file, "--compare", "--home", federation.analyst)
    assert both["keys"]["north"] in ("verified", "seen")
    for home in (federation.analyst, federation.nodes["north"], tmp_path / "nobody"):
        assert run_well("metering", "verify", file, "--both", "--home", home)["signed_by"] == ["north", "alice"]
    refused("settlement.not-your-side", 3, "metering", "countersign", settled_again(federation, tmp_path), "--home",
            federation.nodes["south"])


def settled_again(federation: Federation, directory: Path) -> Path:
    settle(federation, directory / "again.json")
    return directory / "again.json"


def test_a_node_that_overstates_its_rounds(federation: Federation, finished: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "statement.json"
    said = Settlement.model_validate(settle(federation, file))
    more = settle_events(
        node=said.node, recipient=said.recipient, study=said.study, study_name=said.study_name, tariff=said.tariff,
        agreement=said.agreement, period=(said.period_from, said.period_to), issued_at=said.issued_at,
        events=[event.model_copy(update={"rounds": event.rounds + 100}) for event in said.events])
    file.write_bytes(write_statement(sign_statement(load_identity(federation.nodes["north"]).signing_key, more)))
    error = refused("settlement.not-what-was-seen", 3, "metering", "countersign", file, "--compare", "--home",
                    federation.analyst)
    assert finished["run"] in error["got"]
    refused("settlement.not-what-was-metered", 3, "metering", "verify", file, "--home", federation.nodes["north"])


def test_lies_in_a_statement_are_named(federation: Federation, finished: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "statement.json"
    settle(federation, file)
    envelope = json.loads(file.read_text())
    content = json.loads(base64.b64decode(envelope["payload"]))
    content["totals"]["rows"] += 10
    envelope["payload"] = base64.b64encode(canonical_bytes(content)).decode()
    file.write_text(json.dumps(envelope))
    error = refused("settlement.figure-differs", 4, "metering", "countersign", file, "--home", federation.analyst)
    assert "totals: rows" in error["got"]
    run_well("analyst", "trust", "north", federation.fingerprints["south"], "--home", federation.analyst)
    file.unlink()
    settle(federation, file)
    error = refused("settlement.key-differs", 4, "metering", "countersign", file, "--home", federation.analyst)
    assert error["got"] == federation.fingerprints["north"]
    run_well("analyst", "trust", "north", federation.fingerprints["north"], "--home", federation.analyst)
