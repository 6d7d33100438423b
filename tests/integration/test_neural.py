"""``neural.train`` between real processes, locked in: the grade's refusal, and the same model as in simulation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patients import CONTRACT, patients, write_patients

import sealane
from sealane.cli.local_federation import DATASET, LocalFederation, local_federation
from sealane.cli.run_report import report_fields
from sealane.client.report import render_report
from sealane.core.clock import system_clock
from sealane.errors import RefusedError
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.control import call
from sealane.sectors.registry import contract

pytest.importorskip("torch")
pytest.importorskip("flwr")
pytestmark = pytest.mark.integration
NAMES = ["clinic", "harbour", "university"]
ASKED: dict[str, Any] = {
    "outcome": "event", "features": ["age", "stage", "haemoglobin"], "rounds": 3, "strategy": "FedAdam",
    "model": {"name": "mlp", "hidden": [8]}, "validation_fraction": 0.2}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    with local_federation(root, write_patients(root, NAMES), CONTRACT) as running:
        put_rows_on_disk(running, "harbour")
        yield running


def put_rows_on_disk(federation: LocalFederation, name: str) -> None:
    """Have one of the nodes map its rows from a file."""
    (federation.homes[name] / "settings.toml").write_text('[sandbox]\nrows = "disk"\n')
    process = federation.processes[name]
    process.terminate()
    process.communicate(timeout=20)
    federation.start(name)


def propose(federation: LocalFederation, name: str, scheme: str, **asked: Any) -> Any:
    return federation.analyst.propose(StudyFile(
        name=name, sector="healthcare", purpose="clinical-research", data_contract=CONTRACT, scheme=scheme,
        computation="neural.train", parameters=ASKED | asked, participants=NAMES, valid_days=1))


def test_health_data_train_no_model_without_noise(federation: LocalFederation) -> None:
    study = parse_study(propose(federation, "refused", "masking").study)
    with pytest.raises(RefusedError) as caught:
        federation.approve(study.hash)
    assert caught.value.code == "protection.noise-missing"


def test_health_data_train_a_private_model_within_their_budget(federation: LocalFederation) -> None:
    """As they are graded, with a promise: priced, charged and released."""
    pytest.importorskip("opacus")
    asked = {"outcome": "event", "features": ASKED["features"], "model": ASKED["model"], "rounds": 3,
             "strategy": "FedAdam", "epsilon": "3", "delta": "1e-6", "sampling_rate": "0.5"}
    record = federation.analyst.propose(StudyFile(
        name="private", sector="healthcare", purpose="clinical-research", data_contract=CONTRACT, scheme="rlwe",
        computation="neural.train", parameters=asked, participants=NAMES, valid_days=1))
    study = parse_study(record.study)
    federation.approve(study.hash)
    federation.analyst.await_approvals(record, 20.0, lambda line: None)
    for home in federation.homes.values():
        call(home, "ledger.cap", {"dataset": DATASET, "epsilon": "4", "delta": "1e-6"})
    real = federation.analyst.finish(federation.analyst.session.start(study.hash)).present_traced()
    assert (real.epsilon, real.rounds, real.metrics) == (3.0, 3, {})
    for home in federation.homes.values():
        (shown,) = call(home, "ledger.show", {"dataset": DATASET})
        assert 2.9 < float(shown["total"]["spent"]) <= 3


@pytest.mark.parametrize(("scheme", "how"), [
    ("masking", {}), ("rlwe", {"bits": 16}), ("masking", {"compression": {"bits": 8, "share": 0.9}})])
def test_a_model_between_processes(federation: LocalFederation, scheme: str, how: dict[str, Any]) -> None:
    for home in federation.homes.values():
        call(home, "dataset.grade", {
            "name": DATASET, "accept": True, "reason": "made-up people",
            "changes": dict.fromkeys([ASKED["outcome"], *ASKED["features"]], "internal:2")})
    record = propose(federation, "-".join(("network", scheme, *how)), scheme, **how)
    study = parse_study(record.study)
    federation.approve(study.hash)
    federation.analyst.await_approvals(record, 20.0, lambda line: None)
    finished = federation.analyst.finish(federation.analyst.session.start(study.hash))
    real = finished.present_traced()
    frames = {name: patients(seed) for seed, name in enumerate(NAMES)}
    simulated = sealane.simulate(frames, contract=contract(CONTRACT)).run(
        "neural.train", scheme=scheme, **(ASKED | how))
    for name, values in simulated.weights.items():
        # Rounding at random differs from run to run: three rounds of at most three steps of 2^-15 of a bound under 1.
        # Compressed with feedback they are rounded to the nearest point, everywhere alike.
        np.testing.assert_allclose(real.weights[name], values, atol=0.05 if "bits" in how else 1e-6, err_msg=name)
    assert real.metrics["validation"]["auc"] == pytest.approx(simulated.metrics["validation"]["auc"], abs=0.02)
    page = render_report(report_fields(finished.opened, system_clock()))
    assert "<h2>Network</h2>" in page
