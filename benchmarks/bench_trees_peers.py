"""Boosted trees here, over Flower (XGBoost bagging) and over NVFlare (XGBoost by histograms): the same rows, one run.

    python -m venv peers; peers/bin/pip install flwr==1.41.0 nvflare==2.9.0 xgboost==3.2.0 tensorboard
    python benchmarks/bench_trees_peers.py --peers peers/bin/python [--trees 40] [--flower-rounds 10] [--write]

Every system has processes of its own on loopback, already up when a run is asked for, and trees of as many leaves and
bins and as large a step. Ours is run before and after the peers. Told of each: seconds of a whole run with its start,
seconds per tree without it (peers: median over rounds; ours: what all trees took more than one, per tree), and the AUC
on rows nobody trained on, since speed without accuracy says nothing. The peers are in a Python of their own, as they
need other versions of what we need too; one that is not there is reported as such. A benchmark is not a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from processes import federation, serve
from sealane.client.connection import Connection
from sealane.governance.study_file import StudyFile
from tree_peers import Finished, PeerError, Shape, predict, run_flower, run_nvflare, versions, write_rows
from tree_rows import CONTRACT, OUTCOME, auc, install_contract, make_rows, names

SHAPE = Shape()


def main() -> None:
    """Parse the command line and run the coordinator's, a node's or the benchmark's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default=sys.executable, metavar="PYTHON", help="that has the peers installed")
    parser.add_argument("--trees", type=int, default=40, help="of ours and of NVFlare")
    parser.add_argument("--flower-rounds", type=int, default=10, help="each gives a tree per node")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--rows", type=int, default=50_000, help="of each node")
    parser.add_argument("--held-out", type=int, default=50_000, help="rows that nobody trains on")
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="keep the figures in benchmarks/results")
    parser.add_argument("--serve", nargs=2, metavar=("ROLE", "HOME"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    install_contract(asked.features)
    if asked.serve:
        asyncio.run(serve(asked.serve[0], Path(asked.serve[1])))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        found = _bench(Path(root), asked)
    print(json.dumps(found, indent=2))
    if asked.write:
        path = Path(__file__).parent / "results" / f"trees-peers-{datetime.now(UTC):%Y-%m-%d}.json"
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _bench(root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    rows = make_rows(asked.rows * asked.nodes + asked.held_out, asked.features)
    held, training = rows.iloc[: asked.held_out], rows.iloc[asked.held_out :]
    tables = {f"node{k}": root / f"node{k}.csv" for k in range(asked.nodes)}
    for k, path in enumerate(tables.values()):
        own = training.iloc[k :: asked.nodes]
        own.to_csv(path, index=False)
        write_rows(path.with_suffix(".npz"), own)
    write_rows(root / "held.npz", held)
    ours = [_ours(root / "before", tables, asked)]
    flower = _peer("flower", run_flower, root, asked, held, asked.flower_rounds)
    nvflare = _peer("nvflare", run_nvflare, root, asked, held, asked.trees)
    ours.append(_ours(root / "after", tables, asked))
    reached = [auc(held, ours[0]["model"].predict(held[names(asked.features)].to_numpy(), num_iteration=k + 1))
               for k in range(asked.trees)]
    mean = {name: statistics.mean(one[name] for one in ours) for name in ("one_tree", "whole", "per_tree")}
    return {
        "what": f"trees of {SHAPE.leaves} leaves, {SHAPE.bins} bins, step {SHAPE.rate}, over {asked.nodes} nodes of "
                f"{asked.rows} rows, {asked.features} features, {asked.held_out} rows held out; processes on loopback",
        "machine": {"processors": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]},
        "sealane": {
            "trees": asked.trees,
            "seconds_run": [round(one["whole"], 2) for one in ours],
            "seconds_run_of_one_tree": [round(one["one_tree"], 2) for one in ours],
            "seconds_per_tree": [round(one["per_tree"], 3) for one in ours],
            "auc": {str(k): round(reached[k - 1], 5) for k in sorted({1, min(10, asked.trees), asked.trees})},
        },
        "flower": flower, "nvflare": nvflare,
        "ratios": {name: _compare(peer, mean, reached) for name, peer in (("flower", flower), ("nvflare", nvflare))
                   if "auc" in peer},
    }


def _ours(root: Path, tables: dict[str, Path], asked: argparse.Namespace) -> dict[str, Any]:
    """Train one tree to warm up, one again, and all; return seconds and the model."""
    root.mkdir()
    with (federation(__file__, root, tables, CONTRACT, options=["--features", str(asked.features)]) as running,
          Connection(root / "analyst") as analyst):
        seconds, result = [], None
        for trees in (1, 1, asked.trees):
            study = running.agree(analyst, StudyFile(
                name="bench", sector="finance", purpose="credit-risk", data_contract=CONTRACT,
                computation="trees.gbdt", rounds=100 * trees + 100, valid_days=1, runs=2,
                parameters={"outcome": OUTCOME, "features": names(asked.features), "rounds": trees, "params": {
                    "num_leaves": SHAPE.leaves, "max_bin": SHAPE.bins, "learning_rate": SHAPE.rate}}))
            began = time.perf_counter()
            result = analyst.finish(analyst.session.start(study)).present_traced()
            seconds.append(time.perf_counter() - began)
    _, one_tree, whole = seconds
    return {"one_tree": one_tree, "whole": whole, "per_tree": (whole - one_tree) / (asked.trees - 1),
            "model": result.booster}


def _peer(name: str, run: Callable[..., Finished], root: Path, asked: argparse.Namespace, held: pd.DataFrame,
          rounds: int) -> dict[str, Any]:
    """Run a peer; say what it took, or why it did not."""
    own = root / name
    own.mkdir()
    try:
        found = versions(asked.peers, name)
        load = os.getloadavg()[0]
        done = run(asked.peers, own, [root / f"node{k}.npz" for k in range(asked.nodes)], rounds, SHAPE)
        scores = predict(asked.peers, done.model, root / "held.npz")
    except PeerError as error:
        return {"not_measured": str(error)}
    trees = len(json.loads(done.model.read_text())["learner"]["gradient_booster"]["model"]["trees"])
    return {
        "versions": found, "rounds": rounds, "trees": trees, "load": load,
        "seconds_deploy": round(done.deploy, 2), "seconds_run": round(done.whole, 2),
        "seconds_until_first_round": round(done.first, 2),
        "seconds_per_round": {"median": round(statistics.median(done.rounds), 3), "fastest": round(min(done.rounds), 3),
                              "slowest": round(max(done.rounds), 3)},
        "seconds_per_tree": round(statistics.median(done.rounds) * rounds / trees, 3),
        "auc": round(auc(held, scores), 5),
    }


def _compare(peer: dict[str, Any], mean: dict[str, float], reached: list[float]) -> dict[str, Any]:
    """Return how many times our seconds a peer took: by round, by tree, with the start, and to the same accuracy."""
    median = peer["seconds_per_round"]["median"]
    ratios: dict[str, Any] = {
        "per_round": round(median / mean["per_tree"], 2),
        "per_tree": round(peer["seconds_per_tree"] / mean["per_tree"], 2),
        "per_round_with_start": round(peer["seconds_run"] / peer["rounds"] / (mean["whole"] / len(reached)), 2),
        "per_tree_with_start": round(peer["seconds_run"] / peer["trees"] / (mean["whole"] / len(reached)), 2),
    }
    enough = next((k + 1 for k, one in enumerate(reached) if one >= peer["auc"]), None)
    if enough is not None:
        seconds = mean["one_tree"] + (enough - 1) * mean["per_tree"]
        ratios |= {"our_trees_to_the_same_auc": enough, "our_seconds_to_the_same_auc": round(seconds, 2),
                   "run_over_ours_to_the_same_auc": round(peer["seconds_run"] / seconds, 2)}
    return ratios


if __name__ == "__main__":
    main()
