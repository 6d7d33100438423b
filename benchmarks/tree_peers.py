"""Flower's and NVFlare's boosted trees over their own processes, started from here, in a Python that has them.

Neither is imported here: flower_trees/ is the app that Flower runs, nvflare_trees.py the job that NVFlare runs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from flower_deployment import PeerError, environment_of, flower_deployment, last_lines, run, run_app
from tree_rows import OUTCOME

HERE = Path(__file__).parent
NEEDED = {"flower": ("flwr", "xgboost"), "nvflare": ("nvflare", "tensorboard", "xgboost")}
VERSIONS = """
import importlib.metadata as m, json, sys
print(json.dumps({name: next(iter(d.version for d in m.distributions(name=name)), None) for name in sys.argv[1:]}))
"""
PREDICT = """
import sys, numpy, xgboost
model = xgboost.Booster(model_file=sys.argv[1])
numpy.save(sys.argv[3], model.predict(xgboost.DMatrix(numpy.load(sys.argv[2])["x"])))
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the trees are to be: the same for every system."""

    leaves: int = 31
    bins: int = 63
    rate: float = 0.1


@dataclass(frozen=True, slots=True)
class Finished:
    """A run of a peer, in seconds: to deploy, from asking to model, until the first round, and of rounds.

    Flower's first round is counted by its begin, NVFlare's, whose begin cannot be seen, by its end.
    """

    deploy: float
    whole: float
    first: float
    rounds: list[float]
    model: Path


def versions(python: str, peer: str) -> dict[str, str]:
    """Return the versions of what a peer needs."""
    found = json.loads(run([python, "-c", VERSIONS, *NEEDED[peer]], {}))
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise PeerError(f"not installed; pip install {' '.join(missing)}, and name that Python by --peers")
    return dict(found)


def write_rows(path: Path, frame: pd.DataFrame) -> None:
    """Write rows as both peers' apps read them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x = frame.drop(columns=OUTCOME).to_numpy(dtype=np.float32)
    np.savez(path, x=x, y=frame[OUTCOME].to_numpy(dtype=np.float32))


def predict(python: str, model: Path, rows: Path) -> np.ndarray:
    """Return an XGBoost model's scores of rows."""
    scores = model.with_suffix(".npy")
    run([python, "-c", PREDICT, str(model), str(rows), str(scores)], {})
    return np.asarray(np.load(scores))


def run_flower(python: str, root: Path, tables: Sequence[Path], rounds: int, shape: Shape) -> Finished:
    """Start a SuperLink and SuperNodes, without TLS and telemetry, and run the app once they have met."""
    began = time.time()
    with flower_deployment(python, root, [f'rows="{table}"' for table in tables]) as environment:
        asked = time.time()
        settings = {"rounds": rounds, "nodes": len(tables), "leaves": shape.leaves, "bins": shape.bins,
                    "rate": shape.rate, "out": str(root)}
        said = run_app(HERE / "flower_trees", environment, settings)
        if not (root / "moments.json").exists():
            raise PeerError(last_lines(said))
        moments = json.loads((root / "moments.json").read_text())
        return Finished(asked - began, (root / "moments.json").stat().st_mtime - asked, moments[0] - asked,
                        np.diff(moments).tolist(), root / "model.json")


def run_nvflare(python: str, root: Path, tables: Sequence[Path], rounds: int, shape: Shape) -> Finished:
    """Provision a server and sites with mutual TLS, start them and run the job."""
    for k, table in enumerate(tables):
        (root / f"site-{k + 1}.npz").symlink_to(table)
    environment = environment_of(python, root) | {"NVFLARE_POC_WORKSPACE": str(root / "poc")}
    said = run([python, str(HERE / "nvflare_trees.py"), *map(str, (root, len(tables), rounds, shape.leaves, shape.bins,
                                                                    shape.rate))], environment)
    found = json.loads(said.strip().splitlines()[-1])
    models = list((root / "poc").glob("*/prod_00/site-1/*/model.json"))
    if not models:
        raise PeerError(f"no model; the job is {found['status']}")
    moments = json.loads((root / "site-1.moments").read_text())
    return Finished(found["submitted"] - found["began"], found["ended"] - found["submitted"],
                    moments[0] - found["submitted"], np.diff(moments).tolist(), models[0])
