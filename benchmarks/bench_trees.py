"""LightGBM over four institutions on loopback, beside LightGBM on the pooled rows: the same bins, parameters and cores.

    python benchmarks/bench_trees.py [--trees 100] [--nodes 4] [--rows 50000] [--features 30] [--sandbox]

Nodes and coordinator are real processes with mutual TLS and journals with full fsync. Printed are the seconds of both,
their ratio, the time of a sum that carries histograms (median, at the nodes), and rounds and bytes per tree. Pooled
LightGBM is trained before and after, on as many threads as there are processors. A benchmark is not a test: the
machine's other work is in the figures; ratios of processor time, all processes together, hold it out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from processes import await_port, cpu_seconds, free_ports_pair, send_by_hand
from sealane.client.connection import Connection
from sealane.computations.base import Cohort, Payload
from sealane.coordinator.home import load_coordinator
from sealane.coordinator.initialise import initialise
from sealane.coordinator.serve import serving
from sealane.coordinator.settings import Advertise, Listen, Settings
from sealane.core.clock import system_clock
from sealane.governance.contract import Contract, Field
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.agent import Agent
from sealane.node.datasets import add_dataset
from sealane.node.execution import Execution, Unconfined
from sealane.node.grading import grade
from sealane.node.home import open_home
from sealane.node.sandbox.fork_server import ForkServer
from sealane.node.sandbox.limits import default_limits
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.sandbox import Sandbox
from sealane.rpc.enrolment import enrol
from sealane.sectors.registry import packs

CONTRACT = "finance.bench-trees/v1"
EDGE = 6.0


class TimedCohort:
    """A cohort that notes how long each sum with histograms took."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        """Return what the cohort knows."""
        return getattr(self._cohort, name)

    async def sum(self, terms: Any) -> Any:
        """Sum, and note."""
        began = time.perf_counter()
        total = await self._cohort.sum(terms)
        if any(name.endswith("histograms") for name in terms):
            self.seconds.append(time.perf_counter() - began)
        return total


class Timed:
    """Runs computations as another execution does, and writes the seconds of sums with histograms."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.full = execution.full

    async def compute(self, admission: Any, data: Any, cohort: Cohort, run_id: str, used: Any) -> Payload:
        """Compute."""
        timed: Any = TimedCohort(cohort)
        payload = await self._execution.compute(admission, data, timed, run_id, used)
        await asyncio.to_thread(Path(os.environ["BENCH_SECONDS"]).write_text, json.dumps(timed.seconds))
        return payload


def main() -> None:
    """Parse the command line and run the coordinator's, a node's or the benchmark's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--rows", type=int, default=50_000, help="of each node")
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--sandbox", action="store_true", help="run the computation in the nodes' sandbox")
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "HOME"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    _install_contract(asked.features)
    if asked.serve:
        asyncio.run(_serve(*asked.serve, sandboxed=asked.sandbox))
        return
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(_bench(Path(root), asked), indent=2))


def _install_contract(features: int) -> None:
    fields = [Field(name=f"x{k}", type="number", minimum=-EDGE, maximum=EDGE) for k in range(features)]
    contract = Contract(id=CONTRACT, fields=(*fields, Field(name="event", type="boolean")))
    packs()["finance"] = replace(packs()["finance"], contracts={**packs()["finance"].contracts, CONTRACT: contract})


def _rows(rows: int, features: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = np.clip(rng.normal(size=(rows, features)), -EDGE, EDGE).round(6)
    signal = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.5 * x[:, 3] + (x[:, 4] > 0) * x[:, 5] - 1
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(features)])
    frame["event"] = (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(int)
    return frame


async def _serve(role: str, home: str, *, sandboxed: bool) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if role == "coordinator":
        async with serving(Path(home)):
            await stop.wait()
        return
    opened = open_home(Path(home))
    execution: Execution = Unconfined()
    if sandboxed:
        server = ForkServer(probe())
        execution = Sandbox(server, default_limits())
        server.start()
    with opened.witness() as witness:
        task = asyncio.create_task(Agent(opened, opened.gate(), witness, Timed(execution)).serve())
        await stop.wait()
        task.cancel()


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    frame = _rows(asked.rows * asked.nodes, asked.features)
    ports = free_ports_pair()
    settings = Settings(listen=Listen(main=ports[0], enrolment=ports[1]),
                        advertise=Advertise(main=ports[0], enrolment=ports[1]))
    initialise(root / "coordinator", settings).engine.dispose()
    processes = [_start("coordinator", root / "coordinator", root, asked)]
    try:
        await_port(ports[1])
        names = [f"node{k}" for k in range(asked.nodes)]
        _prepare(root, names, [frame.iloc[k :: asked.nodes] for k in range(asked.nodes)])
        processes += [_start("node", root / name, root, asked) for name in names]
        return _measure(root, names, asked, processes, frame)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _prepare(root: Path, names: list[str], frames: list[pd.DataFrame]) -> None:
    made = load_coordinator(root / "coordinator")
    identities = {
        name: asyncio.run(enrol(made.invite(name, "analyst" if name == "analyst" else "node").to_text(), root / name))
        for name in [*names, "analyst"]
    }
    made.engine.dispose()
    for name, frame in zip(names, frames, strict=True):
        frame.to_csv(root / f"{name}.csv", index=False)
        home = open_home(root / name)
        for peer, identity in identities.items():
            if peer != name:
                home.register.trust(peer, identity.fingerprint)
        add_dataset(home.register, "rows", str(root / f"{name}.csv"), CONTRACT, {}, now=system_clock())
        grade(home.register, "rows", accept=True)
        home.register.close()


def _approved(analyst: Connection, root: Path, names: list[str], features: list[str], trees: int) -> str:
    """Propose a study, have every node approve it, and return its hash."""
    record = analyst.propose(StudyFile(
        name="bench", sector="finance", purpose="credit-risk", data_contract=CONTRACT, computation="trees.gbdt",
        parameters={"outcome": "event", "features": features, "rounds": trees}, rounds=100 * trees + 100, valid_days=1))
    study = parse_study(record.study)
    deadline = time.monotonic() + 60
    for name in names:
        while study.hash not in {one.study.hash for one in open_home(root / name).register.studies()}:
            assert time.monotonic() < deadline, "the nodes did not come up"
            time.sleep(0.5)
        send_by_hand(root / name, open_home(root / name).decisions().approve(study.hash))
    analyst.await_approvals(record, 60.0, lambda line: None)
    return study.hash


def _measure(root: Path, names: list[str], asked: argparse.Namespace, processes: list[subprocess.Popen[bytes]],
             frame: pd.DataFrame) -> dict[str, Any]:
    features = [f"x{k}" for k in range(asked.features)]
    with Connection(root / "analyst") as analyst:
        analyst.finish(analyst.session.start(_approved(analyst, root, names, features, 1)))  # warms every process up
        study = _approved(analyst, root, names, features, asked.trees)
        pooled = [_pooled(frame, features, asked.trees)]
        before = cpu_seconds(processes)
        began = time.perf_counter()
        found = analyst.finish(analyst.session.start(study)).present_traced()
        seconds = time.perf_counter() - began
        cpu = cpu_seconds(processes) - before
    pooled.append(_pooled(frame, features, asked.trees))
    wall, pooled_cpu = (statistics.mean(one[k] for one in pooled) for k in (0, 1))
    sums = [1000 * s for name in names for s in json.loads((root / f"{name}.seconds").read_text())]
    expected = pooled[0][2].predict(frame[features].to_numpy())
    return {
        "what": f"{asked.trees} trees of 31 leaves over {asked.nodes} nodes of {asked.rows} rows, {asked.features} "
                "features; real processes, mTLS on loopback, journals fsynced",
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "lightgbm":
                    lightgbm.__version__, "load": os.getloadavg()[0]},
        "sandbox": asked.sandbox,
        "seconds": {"joint": round(seconds, 2), "pooled": [round(one[0], 2) for one in pooled]},
        "ratio": round(seconds / wall, 2),
        "processor_seconds": {"joint": round(cpu, 2), "pooled": [round(one[1], 2) for one in pooled]},
        "processor_ratio": round(cpu / pooled_cpu, 2),
        "histogram_sum_milliseconds": {"median": round(statistics.median(sums), 2), "fastest": round(min(sums), 2),
                                       "p95": round(statistics.quantiles(sums, n=20)[-1], 2)},
        "rounds_per_tree": round(found.sums["rounds_per_tree"], 1),
        "kilobytes_per_tree_and_node": round(found.sums["bytes_per_tree"] / 1024),
        "auc": {"joint": round(_auc(frame, found.predict(frame)), 5), "pooled": round(_auc(frame, expected), 5)},
    }


def _pooled(frame: pd.DataFrame, features: list[str], trees: int) -> tuple[float, float, Any]:
    """Train on the pooled rows with as large leaves, and return seconds, processor seconds and the model."""
    began, cpu = time.perf_counter(), time.process_time()
    params = {"objective": "binary", "num_leaves": 31, "max_bin": 63, "min_data_in_leaf": 200, "verbosity": -1,
              "num_threads": os.cpu_count()}
    model = lightgbm.train(params, lightgbm.Dataset(frame[features].to_numpy(), label=frame["event"]), trees)
    return time.perf_counter() - began, time.process_time() - cpu, model


def _auc(frame: pd.DataFrame, score: Any) -> float:
    ranks = pd.Series(np.asarray(score)).rank()
    events = frame["event"].to_numpy() == 1
    number = int(events.sum())
    return float((ranks[events].sum() - number * (number + 1) / 2) / (number * (len(frame) - number)))


def _start(role: str, home: Path, root: Path, asked: argparse.Namespace) -> subprocess.Popen[bytes]:
    environment = os.environ | {"BENCH_SECONDS": str(root / f"{home.name}.seconds")}
    command = [sys.executable, __file__, "--serve", role, str(home), "--features", str(asked.features),
               *["--sandbox"] * asked.sandbox]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
