"""Computations over financial data between real processes: the same result as in simulation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import run_well
from transfers import CONTRACT, transfers

import sealane
from sealane.cli.asking import Answer
from sealane.cli.finance_demo.supervising import PAGE, POLICY, supervise
from sealane.cli.local_federation import LocalFederation, local_federation
from sealane.cli.run_report import report_fields
from sealane.client.report import render_report
from sealane.core.clock import system_clock
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.sectors.registry import contract

pytestmark = pytest.mark.integration
NAMES = ["north", "south", "west"]
FRAMES = {name: transfers(seed, acting=12) for seed, name in enumerate(NAMES)}
ASKED: dict[str, dict[str, Any]] = {
    "typology.rules": {"until": "2026-06-30", "months": 6},
}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    paths = {name: root / f"{name}.csv" for name in NAMES}
    for name, path in paths.items():
        FRAMES[name].to_csv(path, index=False)
    with local_federation(root, paths, CONTRACT) as running:
        yield running


@pytest.mark.parametrize("computation", ASKED)
def test_a_computation_between_processes(computation: str, federation: LocalFederation, tmp_path: Path) -> None:
    asked = ASKED[computation]
    simulated = sealane.simulate(FRAMES, contract=contract(CONTRACT)).run(computation, **asked).to_dict()
    record = federation.analyst.propose(StudyFile(
        name=computation.replace(".", "-").replace("_", "-"), sector="finance", purpose="anti-money-laundering",
        data_contract=CONTRACT, computation=computation, parameters=asked, participants=NAMES, valid_days=1))
    study = parse_study(record.study)
    federation.approve(study.hash)
    federation.analyst.await_approvals(record, 20.0, lambda line: None)
    finished = federation.analyst.finish(federation.analyst.session.start(study.hash))
    real = finished.present_traced().to_dict()
    assert real == simulated
    assert real["typologies"]["structuring"]["accounts"] == 36
    fields = report_fields(finished.opened, system_clock())
    assert "<h2>Flagged accounts</h2>" in render_report(fields)

    folder = tmp_path / "supervision"
    supervise(federation.analyst.session, [Answer(study, None, fields, finished.opened)], fields, "Made up.", folder)
    page = (folder / PAGE).read_text()
    assert "<h3>Flagged accounts</h3>" in page
    assert "nobody signed it: Made up." in page
    told = run_well("audit", "report", folder / study.name, "--policy", folder / POLICY, "--result",
                    folder / f"{study.name}.json", "--out", tmp_path / "again.html")["report"]
    purpose = next(one for one in told["sections"] if one["shows"] == "purpose")["groups"][0]["statements"][1]
    assert (purpose["value"], purpose["source"]) == ("anti-money-laundering", {"kind": "signed", "by": NAMES})
