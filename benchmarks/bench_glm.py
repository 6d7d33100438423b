"""A logistic regression over several nodes against statsmodels on the pooled rows, in one run.

    python benchmarks/bench_glm.py [--nodes 5] [--rows 200000] [--runs 3] [--sandbox] [--write]

Coordinator and nodes are processes of their own, with mutual TLS on loopback, journals with full fsync, and datasets in
Parquet files under a contract of fifty columns. Timed is a run as an analyst sees it, from the start to the opened
result: the nodes read their files, hold them against the contract, fit, agree and sign. statsmodels gets the pooled
rows as arrays in memory, in a process of its own, before and after, with one thread of BLAS as each node has;
--all-threads times it with all of them too (on a busy machine these wait for each other, for minutes). The fastest is
what ours is held against; processor seconds are printed for both, since nodes share this machine. What latency would
add is printed apart. A benchmark is not a test: the machine's other work is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from processes import Federation, federation, sandbox, serve
from sealane.client.connection import Connection
from sealane.governance.study_file import StudyFile
from sealane.node.execution import Unconfined
from wide import COLUMNS, CONTRACT, FEATURES, write_rows

ROUND_TRIP = 0.05
"""Seconds of a round trip between institutions of one country, a guess."""
TRIPS = 3
"""Round trips of a masked sum, about: contributions, who arrived, what opens it."""
LATENT = 5
"""Rounds of latency that the figure with latency counts, as the target does; all of the run's are printed too."""
TARGET = 3.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Parse the command line and run a part, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--rows", type=int, default=200_000, help="per node")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sandbox", action="store_true", help="run the computation in the nodes' sandbox")
    parser.add_argument("--all-threads", action="store_true", help="time statsmodels with all threads of BLAS too")
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--pooled", metavar="ROOT", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "HOME"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve[0], Path(asked.serve[1]),
                          lambda: sandbox("wide") if asked.sandbox else Unconfined()))
        return
    if asked.pooled:
        print(json.dumps(_fit_pooled(Path(asked.pooled), asked.nodes)))
        return
    with tempfile.TemporaryDirectory() as root:
        found = _bench(Path(root), asked)
    print(json.dumps(found, indent=2))
    if asked.write:
        kind = "glm-sandbox" if asked.sandbox else "glm"
        path = Path(__file__).parent / "results" / f"{kind}-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    tables = {f"node{k}": root / f"node{k}.parquet" for k in range(asked.nodes)}
    for place, path in enumerate(tables.values()):
        write_rows(path, asked.rows, place)
    before = _pooled(root, asked)
    # Nodes that share processors would else wait for each other at every barrier of BLAS.
    with federation(__file__, root, tables, CONTRACT.id, options=["--sandbox"] * asked.sandbox,
                    environment=ONE_THREAD) as running:
        ours = _ours(running, asked)
    return _compare(asked, ours, before, _pooled(root, asked))


def _pooled(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Time statsmodels in processes of its own."""
    found: dict[str, Any] = {}
    for threads in ("one", "all") if asked.all_threads else ("one",):
        environment = os.environ | (ONE_THREAD if threads == "one" else {})
        done = subprocess.run([sys.executable, __file__, "--pooled", str(root), "--nodes", str(asked.nodes)],
                              env=environment, check=True, capture_output=True)
        found[threads] = json.loads(done.stdout)
    return found


def _fit_pooled(root: Path, nodes: int) -> dict[str, Any]:
    import statsmodels.api as sm

    pooled = pd.concat([pd.read_parquet(root / f"node{i}.parquet") for i in range(nodes)], ignore_index=True)
    y, x = pooled["y"].to_numpy(dtype=np.float64), sm.add_constant(pooled[FEATURES].to_numpy())
    del pooled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began, used = time.perf_counter(), time.process_time()
        fitted = sm.GLM(y, x, family=sm.families.Binomial()).fit()
        errors = np.asarray(fitted.bse)  # worked out when it is asked for
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
    return {"seconds": seconds, "cpu": cpu, "params": np.asarray(fitted.params).tolist(), "bse": errors.tolist()}


def _ours(running: Federation, asked: argparse.Namespace) -> dict[str, Any]:
    with Connection(running.root / "analyst") as analyst:
        study = running.agree(analyst, StudyFile(
            name="bench", sector="bench", purpose="benchmark", data_contract=CONTRACT.id, computation="glm.fit",
            parameters={"outcome": "y", "features": FEATURES, "family": "binomial"}, valid_days=1))
        seconds, cpu = [], []
        for _ in range(asked.runs + 1):  # the first one finds processes that have computed nothing yet
            used, began = running.cpu_seconds(), time.perf_counter()
            fit = analyst.finish(analyst.session.start(study)).present_traced()
            seconds.append(time.perf_counter() - began)
            cpu.append(running.cpu_seconds() - used)
    return {"first": seconds[0], "seconds": seconds[1:], "cpu": statistics.median(cpu[1:]), "fit": fit}


def _compare(
    asked: argparse.Namespace, ours: dict[str, Any], before: dict[str, Any], after: dict[str, Any]
) -> dict[str, Any]:
    fit, wall = ours["fit"], statistics.median(ours["seconds"])
    timed = {f"{threads}, {when}": run[threads]["seconds"] for when, run in (("before", before), ("after", after))
             for threads in run}
    theirs, reference = min(timed.values()), before["one"]
    rounds = fit.trace.rounds
    latency = TRIPS * ROUND_TRIP
    return {
        "what": f"logistic regression, {COLUMNS} columns, {asked.nodes} nodes of {asked.rows} rows, masked sums, mTLS "
                "on loopback, journals fsynced, Parquet under a contract",
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "sandbox": asked.sandbox, "load_average_at_the_end": round(os.getloadavg()[0], 1),
        "statsmodels_seconds_by_threads": {which: round(seconds, 2) for which, seconds in timed.items()},
        "sealane_seconds": {"first": round(ours["first"], 2), "runs": [round(one, 2) for one in ours["seconds"]],
                            "median": round(wall, 2)},
        "ratio": round(wall / theirs, 2), "target": TARGET,
        "rounds": rounds, "bytes_per_node": max(fit.trace.bytes_sent.values()),
        # The sandbox's children are not among the processes whose time is read.
        "processor_seconds": {"sealane_all_processes": None if asked.sandbox else round(ours["cpu"], 2),
                              "statsmodels": round(reference["cpu"], 2)},
        "latency_apart": {"round_trip_seconds": ROUND_TRIP, "trips_per_round": TRIPS,
                          f"ratio_with_{LATENT}_rounds": round((wall + LATENT * latency) / theirs, 2),
                          "seconds_added_by_all_rounds": round(rounds * latency, 2)},
        "largest_relative_difference": {
            "params": float(np.abs(fit.params.to_numpy() / reference["params"] - 1).max()),
            "bse": float(np.abs(fit.bse.to_numpy() / reference["bse"] - 1).max())},
    }


if __name__ == "__main__":
    main()
