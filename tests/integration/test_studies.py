"""Each computation between real processes, locked in as graded data demands: the same result as in simulation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run_well
from patients import CONTRACT, patients, write_patients

import sealane
from sealane.cli.local_federation import DATASET, LocalFederation, local_federation
from sealane.cli.run_report import report_fields
from sealane.client.report import render_report
from sealane.computations.registry import names
from sealane.core.clock import system_clock
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.control import call
from sealane.sectors.registry import contract

pytestmark = pytest.mark.integration
NAMES = ["clinic", "harbour", "university"]

ASKED: dict[str, dict[str, Any]] = {
    "anomaly.isolation": {"features": ["age", "body_mass_index", "creatinine", "haemoglobin"], "trees": 20},
    "causal.ipw": {"treatment": "arm", "outcome": "event", "features": ["age", "sex", "stage"]},
    "glm.fit": {"formula": "event ~ age * sex + stage + body_mass_index", "family": "binomial"},
    "glm.scorecard": {"outcome": "event", "features": ["age", "stage", "haemoglobin"], "minimum_iv": 0.001},
    "metrics.ranking": {"outcome": "event", "score": "haemoglobin", "thresholds": [13.0], "group": "arm"},
    "model.meta": {"outcome": "event", "features": ["age", "arm"], "family": "binomial", "method": "fixed"},
    "model.mixed": {"outcome": "haemoglobin", "features": ["age", "sex"]},
    "monitor.drift": {"period": "index_date", "since": "2021-01", "months": 12, "score": "haemoglobin",
                      "features": ["age", "stage"], "outcome": "event"},
    "quality.harmonise": {"columns": ["creatinine", "haemoglobin", "stage"]},
    "statistics.correlation": {"columns": ["age", "haemoglobin"], "method": "spearman"},
    "statistics.describe": {"columns": ["age", "body_mass_index", "stage"], "by": "sex"},
    "statistics.histogram": {"column": "age", "bins": 8},
    "statistics.quantiles": {"columns": ["age", "haemoglobin"], "by": "arm"},
    "statistics.table": {"columns": ["stage", "arm"], "epsilon": "1", "delta": "1e-6"},
    "statistics.test": {"method": "t", "outcome": "age", "by": "arm"},
    "surveillance.disproportionality": {"drugs": ["arm"], "events": ["event"]},
    "surveillance.outbreak": {"time": "index_date", "until": "2021-12-26", "weeks": 48},
    "survival.aft": {"duration": "time", "event": "event", "features": ["age", "arm"]},
    "survival.cox": {"start": "start", "stop": "time", "event": "event", "features": ["age", "arm", "stage"],
                     "resolution": 7},
    "survival.cumulative_incidence": {"duration": "time", "event": "event_kind", "by": "arm", "resolution": 7},
    "survival.fine_gray": {"duration": "time", "event": "event_kind", "cause": "1", "features": ["age", "arm"],
                           "resolution": 7},
    "survival.kaplan_meier": {"duration": "time", "event": "event", "by": "arm", "resolution": 7},
    "trees.gbdt": {"outcome": "event", "features": ["age", "stage", "haemoglobin"], "rounds": 3},
}
WAIVED = {"model.mixed"}
"""What they open shows single institutions' sums, so each of them waives that, by name."""
NOISY = {"statistics.table"}
"""Their results differ from run to run, as they should."""
ELSEWHERE = {"flower.app", "neural.lora", "neural.train", "typology.rules"}
"""Run in flower/test_enrolled.py, over an app that is installed; in test_lora.py and test_neural.py, over data graded
otherwise; in test_finance_studies.py, over data of another contract."""

OF_EVERY_RUN = {"What was hidden, and why", "How it was protected", "Traffic and time"}
"""Sections of a report that say nothing of what was found."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    with local_federation(root, write_patients(root, NAMES), CONTRACT) as running:
        for home in running.homes.values():
            call(home, "ledger.cap", {"dataset": DATASET, "epsilon": "8", "delta": "1e-4"})
        yield running


def test_every_computation_is_run_here() -> None:
    assert sorted([*ASKED, *ELSEWHERE]) == names()


@pytest.mark.parametrize("computation", ASKED)
def test_a_computation_between_processes(computation: str, federation: LocalFederation) -> None:
    asked = ASKED[computation]
    frames = {name: patients(seed) for seed, name in enumerate(NAMES)}
    waived = NAMES if computation in WAIVED else []
    simulated = sealane.simulate(frames, contract=contract(CONTRACT)).run(
        computation, waive_differencing=waived, **asked).to_dict()
    finished = finish(federation, computation, asked, waived=bool(waived))
    real = finished.present_traced().to_dict()
    assert real.keys() == simulated.keys()
    if computation not in NOISY:
        assert_close(real, simulated, computation)
    told = re.findall("<h2>(.*?)</h2>", render_report(report_fields(finished.opened, system_clock())))
    assert len(set(told) - OF_EVERY_RUN) >= 1, told


def test_trees_are_exported_and_judged_between_processes(federation: LocalFederation, tmp_path: Path) -> None:
    lightgbm, onnx = pytest.importorskip("lightgbm"), pytest.importorskip("onnx")
    pytest.importorskip("onnxmltools")
    trained = finish(federation, "trees.gbdt", ASKED["trees.gbdt"])
    for name in ("model.txt", "model.onnx"):
        run_well("run", "export", trained.opened.status.run_id, "--out", tmp_path / name, "--home",
                 federation.root / "analyst")
    assert lightgbm.Booster(model_file=str(tmp_path / "model.txt")).num_trees() == 3
    assert onnx.load(str(tmp_path / "model.onnx")).graph.output[-1].name == "probabilities"
    model = trained.present_traced().model
    judged = finish(federation, "metrics.ranking", {"outcome": "event", "model": model, "calibration": False})
    frames = {name: patients(seed) for seed, name in enumerate(NAMES)}
    simulated = sealane.simulate(frames, contract=contract(CONTRACT)).run(
        "metrics.ranking", outcome="event", model=model, calibration=False)
    assert judged.present_traced().auc == simulated.auc
    assert judged.present_traced().auc > 0.55


def finish(federation: LocalFederation, computation: str, asked: dict[str, Any], *, waived: bool = False) -> Any:
    """Propose, approve and run a study."""
    record = federation.analyst.propose(StudyFile(
        name=computation.replace(".", "-").replace("_", "-"), sector="healthcare", purpose="clinical-research",
        data_contract=CONTRACT, computation=computation, parameters=asked, participants=NAMES, valid_days=1))
    study = parse_study(record.study)
    federation.approve(study.hash, waive_differencing=waived)
    federation.analyst.await_approvals(record, 20.0, lambda line: None)
    return federation.analyst.finish(federation.analyst.session.start(study.hash))


def assert_close(one: Any, other: Any, where: str) -> None:
    """Compare nested results; the order of nodes, and with it the last bits of what they agree on, may differ."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_close(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_close(a, b, f"{where}[{place}]")
    elif isinstance(one, float):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9, err_msg=where)
    else:
        assert one == other, where
