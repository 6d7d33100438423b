"""A Flower app over our grid: rounds of a model without training, between processes, in the clear and summed securely.

    python benchmarks/bench_flower.py [--megabytes 1] [--nodes 3] [--rounds 20] [--virtual 1000] [--write]

Each node is a process of its own that holds a ClientApp; the ServerApp runs here, with Flower's own FedAvg. Timed is a
round as the strategy takes it: messages out, replies in, and the average. Then the same app goes over many virtual
nodes of one process, with that process's peak memory. A benchmark is not a test: the machine's other work is in the
figures.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from sealane.cli.local_federation import local_federation
from sealane.computations.flower_app.library import load
from sealane.flower.run import run_app
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.home import open_home
from sealane.sectors.registry import contract

CONTRACT = "finance.credit-application/v1"
RESULTS = Path(__file__).parent / "results"
PROJECT = """
[project]
name = "rounds"
version = "1.0.0"
[tool.flwr.app]
publisher = "sealane"
[tool.flwr.app.components]
serverapp = "rounds_app.server:app"
clientapp = "rounds_app.client:{half}"
[tool.flwr.app.config]
values = 0
rounds = 0
scheme = "none"
out = ""
"""
SERVER = """
import json, time
import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from sealane.flower import SecureSum
app = ServerApp()
class Timed(FedAvg):
    times = []
    def configure_train(self, *arguments):
        self.began = time.monotonic()
        return super().configure_train(*arguments)
    def aggregate_train(self, number, replies):
        done = super().aggregate_train(number, replies)
        self.times.append(time.monotonic() - self.began)
        return done
@app.main()
def main(grid, context):
    config = context.run_config
    if config["scheme"] != "none":
        grid = SecureSum(grid, clip=1.0, cap=10, scheme=config["scheme"])
    strategy = Timed(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
    start = ArrayRecord([np.random.default_rng(0).standard_normal(config["values"], dtype=np.float32)])
    strategy.start(grid, start, num_rounds=config["rounds"], timeout=600)
    if config["out"]:
        open(config["out"], "w").write(json.dumps(strategy.times))
    else:  # nothing can be written at an enrolled node: what is in the state is released
        context.state["times"] = ArrayRecord([np.array(strategy.times)])
"""
CLIENT = """
import numpy as np
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sealane.flower import secure_sum_mod
def make(mods):
    app = ClientApp(mods=mods)
    @app.train()
    def train(message, context):
        shift = np.float32(0.001 * (1 + context.node_config["partition-id"] % 7))
        arrays = [array + shift for array in message.content["arrays"].to_numpy_ndarrays()]
        return Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": 10})}),
                       reply_to=message)
    return app
plain, secure = make([]), make([secure_sum_mod])
"""


def write_app(root: Path, scheme: str) -> None:
    """Write the app."""
    (root / "rounds_app").mkdir()
    (root / "pyproject.toml").write_text(PROJECT.format(half="plain" if scheme == "none" else "secure"))
    for file, text in (("__init__", ""), ("server", SERVER), ("client", CLIENT)):
        (root / "rounds_app" / f"{file}.py").write_text(text)


def enrolled(megabytes: float, nodes: int, count: int, scheme: str) -> dict[str, Any]:
    """Run the app at enrolled nodes of a federation of real processes, under a signed study, locked in.

    Messages go sealed from node to node through the coordinator; the server half, at one node, reads each one's. With
    a scheme other than ``none`` the app itself sums securely over them.
    """
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        app = root / "app"
        app.mkdir()
        write_app(app, scheme)
        names = [f"node-{place}" for place in range(nodes)]
        times = _in_federation(root, app, names, {
            "values": int(megabytes * 262144), "rounds": count, "scheme": scheme})
    return {"nodes": nodes, "megabytes": megabytes, "scheme": scheme, "rounds": count, "first_s": round(times[0], 4),
            "median_s": round(statistics.median(times[1:] or times), 4), "fastest_s": round(min(times), 4)}


def _in_federation(root: Path, app: Path, names: list[str], config: dict[str, Any]) -> list[float]:
    row = {f.name: (f.allowed[0] if f.allowed else f.minimum or 0) for f in contract(CONTRACT).fields}
    tables = {name: root / f"{name}.csv" for name in names}
    for path in tables.values():
        pd.DataFrame([row] * 40).to_csv(path, index=False)
    with local_federation(root, tables, CONTRACT) as running:
        for home in running.homes.values():
            opened = open_home(home)
            installed = opened.apps.add(app)
            opened.close()
        asked = {"app": installed.name, "code": installed.code, "server": names[0], "run_config": config,
                 "exchanges": 6 * config["rounds"] + 10}
        study = parse_study(running.analyst.propose(StudyFile(
            name="rounds", sector="finance", purpose="credit-risk", data_contract=CONTRACT, computation="flower.app",
            scheme="none", parameters=asked, participants=names, rounds=12 * config["rounds"] + 21,
            valid_days=1)).study)
        running.approve(study.hash)
        running.analyst.await_approvals(running.analyst.session.study(study.hash), 20.0, lambda line: None)
        for _ in range(2):  # the first run warms every process up
            finished = running.analyst.finish(running.analyst.session.start(study.hash))
    return [float(one) for one in finished.present_traced().arrays["0"]]


def rounds(megabytes: float, nodes: int, count: int, scheme: str, *, virtual: bool = False) -> dict[str, Any]:
    """Run the app and return the median of its rounds but the first."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_app(root, scheme)
        run_app(root, nodes=nodes, virtual=virtual, changes={
            "values": int(megabytes * 262144), "rounds": count, "scheme": scheme, "out": str(root / "out.json")})
        times = json.loads((root / "out.json").read_text())
    return {"nodes": nodes, "megabytes": megabytes, "scheme": scheme, "rounds": count, "first_s": round(times[0], 4),
            "median_s": round(statistics.median(times[1:] or times), 4), "fastest_s": round(min(times), 4)}


def main() -> None:
    """Measure, print, and keep the figures if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--virtual", type=int, default=1000, help="0 leaves it out")
    parser.add_argument("--enrolled", type=float, nargs="*", default=[], metavar="MEGABYTES",
                        help="also run the app at enrolled nodes, with a model of each of these sizes")
    parser.add_argument("--only-enrolled", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    logging.disable(logging.INFO)
    if asked.one:  # a process of its own, for its memory
        figures = rounds(**json.loads(asked.one))
        figures["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(figures))
        return
    runs: list[dict[str, Any]] = [
        {"megabytes": asked.megabytes, "nodes": asked.nodes, "count": asked.rounds, "scheme": scheme}
        for scheme in ("none", "masking", "rlwe")]
    if asked.virtual:
        runs.append({"megabytes": asked.megabytes, "nodes": asked.virtual, "count": 3, "scheme": "none",
                     "virtual": True})
    if asked.only_enrolled:
        runs = []
    figures: list[dict[str, Any]] = []
    for size in asked.enrolled:
        figures.append({"where": "enrolled nodes", **enrolled(size, asked.nodes, asked.rounds, "none")})
        print(json.dumps(figures[-1]), flush=True)
    for run in runs:
        done = subprocess.run([sys.executable, __file__, "--one", json.dumps(run)], stdout=subprocess.PIPE, check=True)
        figures.append({"where": "in process" if run.get("virtual") else "processes", **json.loads(done.stdout)})
        print(json.dumps(figures[-1]), flush=True)
    document = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "flower": load().version,
                "python": platform.python_version(), "processors": os.cpu_count(), "load": os.getloadavg()[0],
                "figures": figures}
    if asked.write:
        path = RESULTS / f"flower-{datetime.now(UTC).date()}.json"
        path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
