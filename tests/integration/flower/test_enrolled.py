"""A Flower app at enrolled nodes, locked in, under a signed study: its result, and what ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("flwr")

from patients import CONTRACT, patients, write_patients
from tests.support.command_line import ENVIRONMENT, MODULE
from tests.support.flower_apps import EXAMPLE, expected_error, write_app

from sealane.cli.local_federation import DATASET, LocalFederation, local_federation
from sealane.cli.run_report import report_fields
from sealane.client.report import render_report
from sealane.core.clock import system_clock
from sealane.errors import RefusedError, SealaneError
from sealane.flower.run import run_app
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.apps import FOLDER, Apps
from sealane.node.control import call

pytestmark = pytest.mark.integration
NAMES = ["clinic", "harbour", "university"]
SERVER = """
import time
import numpy as np
from flwr.app import ArrayRecord, ConfigRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
app = ServerApp()
@app.main()
def main(grid, context):
    start = ArrayRecord([np.zeros(2)])
    FedAvg(fraction_evaluate=0.0).start(grid, start, num_rounds=context.run_config["rounds"])
    np.save("final.npy", np.zeros(2))
"""
CLIENT = """
import os, socket, time
import numpy as np
import pandas as pd
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
app = ClientApp()
def tried(act):
    try:
        act()
    except OSError:
        return 0.0
    return 1.0
@app.train()
def train(message, context):
    rows = pd.read_csv(context.node_config["data-path"])
    time.sleep(0.05)
    reached = [tried(lambda: open("/etc/hostname").read()), tried(lambda: socket.socket()),
               tried(lambda: open("/tmp/written", "w")), tried(os.fork), float(len(rows.columns) != 1)]
    metrics = MetricRecord({"num-examples": len(rows), "reached": reached})
    return Message(RecordDict({"arrays": ArrayRecord([np.array([rows["age"].mean(), len(rows)])]),
                               "metrics": metrics}), reply_to=message)
"""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    with local_federation(root, write_patients(root, NAMES), CONTRACT) as running:
        for home in running.homes.values():
            Apps(home / FOLDER).add(EXAMPLE)
            call(home, "dataset.grade", {"name": DATASET, "accept": True, "reason": "made-up people",
                                         "changes": {"age": "internal:2"}})
        yield running


def sealane(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([*MODULE, "flower", *arguments, "--json"], capture_output=True, text=True, env=ENVIRONMENT,
                          timeout=30, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trainer(federation: LocalFederation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An app that reads rows, tries the sandbox's walls, and takes its time."""
    app = write_app(tmp_path_factory.mktemp("apps"), "trainer", server=SERVER)
    (app / "trainer" / "client_app.py").write_text(CLIENT)
    first, *others = federation.homes.values()
    added = sealane("install", str(app), "--home", str(first))
    assert {Apps(home / FOLDER).add(app).code for home in others} == {added["code"]}
    return {"app": "trainer", "code": added["code"], "columns": ["age"]}


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    said = sealane("check", str(EXAMPLE), "--server", "harbour")
    return {"app": said["app"], "code": said["code"]}


def propose(federation: LocalFederation, name: str, asked: dict[str, Any], **fields: Any) -> str:
    record = federation.analyst.propose(StudyFile(
        name=name, sector="healthcare", purpose="clinical-research", data_contract=CONTRACT, scheme="none",
        computation="flower.app", parameters={"server": "harbour"} | asked, participants=NAMES, valid_days=1, **fields))
    return parse_study(record.study).hash


def approved(federation: LocalFederation, name: str, asked: dict[str, Any], **fields: Any) -> str:
    study = propose(federation, name, asked, **fields)
    federation.approve(study)
    federation.analyst.await_approvals(federation.analyst.session.study(study), 20.0, lambda line: None)
    return study


def test_the_example_comes_to_the_same_as_over_local_processes(
        federation: LocalFederation, example: dict[str, Any]) -> None:
    study = approved(federation, "example", example | {"run_config": {"num-rounds": 6}})
    finished = federation.analyst.finish(federation.analyst.session.start(study))
    result = finished.present_traced()
    alone = run_app(EXAMPLE, nodes=3, changes={"num-rounds": 6}, virtual=True)
    assert [(e.nodes, e.answered, e.sent) for e in alone.grid.exchanges] == list(
        zip(result.exchanges["nodes"], result.exchanges["answered"], result.exchanges["bytes_sent"], strict=True))
    weights, steps = np.zeros(3), []
    for _ in range(6):
        steps = []
        for partition in range(3):
            rng = np.random.default_rng(partition)
            x = rng.normal(size=(200 + 50 * partition, 3))
            y = x @ [2.0, -1.0, 0.5] + rng.normal(scale=0.1, size=len(x))
            steps.append((len(y), weights - 0.1 * x.T @ (x @ weights - y) / len(y)))
        weights = sum(n * w for n, w in steps) / sum(n for n, _ in steps)
    np.testing.assert_allclose(result.arrays["0"], weights, rtol=1e-12)
    page = render_report(report_fields(finished.opened, system_clock()))
    assert "saw what each of them sent by itself" in page


def test_what_a_steward_reads_before_signing(federation: LocalFederation, trainer: dict[str, Any]) -> None:
    study = propose(federation, "reviewed", trainer)
    federation.await_study("clinic", study)
    said = call(federation.homes["clinic"], "study.review", {"study": study})
    words = json.dumps(said)
    assert "harbour runs the server half of the app trainer and sees what this institution sends by itself" in words
    assert "runs here on the columns age" in words
    assert said["outputs"] == ["arrays", "metrics"]


def test_a_clientapp_reads_its_columns_and_nothing_else(federation: LocalFederation, trainer: dict[str, Any]) -> None:
    study = approved(federation, "confined", trainer | {"run_config": {"rounds": 1}})
    result = federation.analyst.finish(federation.analyst.session.start(study)).present_traced()
    frames = [patients(seed) for seed, _ in enumerate(NAMES)]
    ages = np.concatenate([frame["age"] for frame in frames])
    counts = np.array([len(frame) for frame in frames])
    np.testing.assert_allclose(result.arrays["0"], [ages.mean(), np.average(counts, weights=counts)])
    assert result.metrics["reached"].tolist() == [[0.0] * 5]
    assert result.ended is not None
    assert result.ended.startswith("PermissionError at ")


def test_a_revocation_in_mid_run_stops_it(federation: LocalFederation, trainer: dict[str, Any]) -> None:
    study = approved(federation, "revoked", trainer | {"run_config": {"rounds": 90}})
    run = federation.analyst.session.start(study)
    await_exchange(federation, run, 8)
    told = time.monotonic()
    call(federation.homes["university"], "agreement.revoke", {"study": study, "reason": "on second thoughts"})
    with pytest.raises(RefusedError) as caught:
        federation.analyst.finish(run)
    assert caught.value.code == "study.revoked"
    assert "university" in caught.value.message
    assert time.monotonic() - told < 3.0


def test_a_node_that_is_killed_ends_the_run_when_it_is_back(
        federation: LocalFederation, trainer: dict[str, Any]) -> None:
    victim = "clinic"
    study = approved(federation, "killed", trainer | {"run_config": {"rounds": 90}})
    run = federation.analyst.session.start(study)
    await_exchange(federation, run, 6)
    process = federation.processes[victim]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    federation.start(victim)
    with pytest.raises(SealaneError) as caught:
        federation.analyst.finish(run)
    assert caught.value.code == "cohort.letters-lost"
    assert victim in caught.value.message


def test_an_app_that_is_not_installed_is_not_approved(federation: LocalFederation, example: dict[str, Any]) -> None:
    for asked, got in ((example | {"code": "0" * 64}, f"linear-model: {example['code'][:16]}"),
                       (example | {"app": "other", "code": "1" * 64}, "other: not at all")):
        study = propose(federation, f"absent-{asked['code'][:4]}", asked)
        federation.await_study("clinic", study)
        with expected_error("app.not-installed", got=got):
            call(federation.homes["clinic"], "study.approve", {"study": study, "dataset": DATASET})


def test_personal_columns_are_not_computed_on_in_the_clear(
        federation: LocalFederation, trainer: dict[str, Any]) -> None:
    study = propose(federation, "personal", trainer | {"columns": ["age", "event"]})
    federation.await_study("clinic", study)
    with expected_error("protection.scheme-not-secure"):
        call(federation.homes["clinic"], "study.approve", {"study": study, "dataset": DATASET})


def await_exchange(federation: LocalFederation, run_id: str, number: int) -> None:
    deadline = time.monotonic() + 30.0
    while next(one for one in federation.analyst.session.runs() if one.run_id == run_id).exchanges < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
