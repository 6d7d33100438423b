"""LightGBM over four institutions on loopback, beside LightGBM on the pooled rows: the same bins, parameters and cores.

    python benchmarks/bench_trees.py [--trees 100] [--nodes 4] [--rows 50000] [--features 30] [--sandbox]

Nodes and coordinator are real processes with mutual TLS and journals with full fsync. Printed are the seconds of both,
their ratio, the time of a sum that carries histograms (median, at the nodes), rounds per tree, and what a node sent
for each. Pooled LightGBM is trained before and after, on as many threads as there are processors. A benchmark is not a
test: the machine's other work is in the figures; ratios of processor time, all processes together, hold it out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd

from processes import Federation, Timed, federation, sandbox, serve
from sealane.client.connection import Connection
from sealane.computations.base import Cohort
from sealane.governance.study_file import StudyFile
from sealane.node.execution import Execution, Unconfined
from tree_rows import CONTRACT, OUTCOME, auc, install_contract, make_rows, names


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
    install_contract(asked.features)
    if asked.serve:
        asyncio.run(serve(asked.serve[0], Path(asked.serve[1]), lambda: _execution(sandboxed=asked.sandbox)))
        return
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(_bench(Path(root), asked), indent=2))


def _execution(*, sandboxed: bool) -> Execution:
    return Timed(sandbox() if sandboxed else Unconfined(), TimedCohort)


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    frame = make_rows(asked.rows * asked.nodes, asked.features)
    tables = {f"node{k}": root / f"node{k}.csv" for k in range(asked.nodes)}
    for k, path in enumerate(tables.values()):
        frame.iloc[k :: asked.nodes].to_csv(path, index=False)
    options = ["--features", str(asked.features), *["--sandbox"] * asked.sandbox]
    with federation(__file__, root, tables, CONTRACT, options=options) as running:
        return _measure(running, asked, frame)


def _study(features: list[str], trees: int) -> StudyFile:
    return StudyFile(
        name="bench", sector="finance", purpose="credit-risk", data_contract=CONTRACT, computation="trees.gbdt",
        parameters={"outcome": OUTCOME, "features": features, "rounds": trees}, rounds=100 * trees + 100, valid_days=1)


def _measure(running: Federation, asked: argparse.Namespace, frame: pd.DataFrame) -> dict[str, Any]:
    features = names(asked.features)
    with Connection(running.root / "analyst") as analyst:
        analyst.finish(analyst.session.start(running.agree(analyst, _study(features, 1))))  # warms every process up
        study = running.agree(analyst, _study(features, asked.trees))
        pooled = [_pooled(frame, features, asked.trees)]
        before = running.cpu_seconds()
        began = time.perf_counter()
        found = analyst.finish(analyst.session.start(study)).present_traced()
        seconds = time.perf_counter() - began
        cpu = running.cpu_seconds() - before
    pooled.append(_pooled(frame, features, asked.trees))
    wall, pooled_cpu = (statistics.mean(one[k] for one in pooled) for k in (0, 1))
    sums = [1000 * s for node in running.noted() for s in node]
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
        "kilobytes_sent_per_tree_and_node": round(found.bytes_per_tree / 1000),
        "auc": {"joint": round(auc(frame, found.predict(frame)), 5), "pooled": round(auc(frame, expected), 5)},
    }


def _pooled(frame: pd.DataFrame, features: list[str], trees: int) -> tuple[float, float, Any]:
    """Train on the pooled rows with as large leaves, and return seconds, processor seconds and the model."""
    began, cpu = time.perf_counter(), time.process_time()
    params = {"objective": "binary", "num_leaves": 31, "max_bin": 63, "min_data_in_leaf": 200, "verbosity": -1,
              "num_threads": os.cpu_count()}
    model = lightgbm.train(params, lightgbm.Dataset(frame[features].to_numpy(), label=frame[OUTCOME]), trees)
    return time.perf_counter() - began, time.process_time() - cpu, model


if __name__ == "__main__":
    main()
