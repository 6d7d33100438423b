"""Histogram-based XGBoost over NVFlare's own processes (``PocEnv``), run by bench_trees_peers.py in the peers' Python.

    python nvflare_trees.py FOLDER SITES ROUNDS LEAVES BINS RATE

Each site reads ``FOLDER/<site>.npz`` and leaves the moments at which its rounds ended in ``FOLDER/<site>.moments``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from nvflare.apis.analytix import AnalyticsDataType, LogWriterName
from nvflare.app_common.tracking.log_writer import LogWriter
from nvflare.app_opt.xgboost.data_loader import XGBDataLoader
from nvflare.app_opt.xgboost.histogram_based_v2.fed_controller import XGBFedController
from nvflare.app_opt.xgboost.histogram_based_v2.fed_executor import FedXGBHistogramExecutor
from nvflare.job_config.api import FedJob
from nvflare.recipe.poc_env import PocEnv

WATCHED = 1000
"""Rows of a site on which NVFlare's runner measures the loss each round, which it always does."""


class Rows(XGBDataLoader):
    """A site's rows."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def load_data(self) -> tuple[Any, Any]:
        """Return the rows to train on and those to watch."""
        rows = np.load(Path(self.folder) / f"{self.client_id}.npz")
        return (xgboost.DMatrix(rows["x"], label=rows["y"]),
                xgboost.DMatrix(rows["x"][:WATCHED], label=rows["y"][:WATCHED]))


class Moments(LogWriter):
    """Notes when each round ended; sends nothing, which takes less than NVFlare's own writers do."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.moments: list[float] = []

    def get_writer_name(self) -> LogWriterName:
        """Return a name that NVFlare knows."""
        return LogWriterName.TORCH_TB

    def write(self, tag: str, value: Any, data_type: AnalyticsDataType, global_step: int | None = None,
              **_: Any) -> None:
        """Note the moment, once a round."""
        if tag == "eval_metrics":
            self.moments.append(time.time())
            Path(self.path).write_text(json.dumps(self.moments))


def main() -> None:
    """Train."""
    folder, sites, rounds, leaves, bins, rate = sys.argv[1:]
    job = FedJob(name="trees", min_clients=int(sites))
    settings = {"objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
                "max_leaves": int(leaves), "max_bin": int(bins), "eta": float(rate), "nthread": 1,
                "eval_metric": "logloss"}
    job.to_server(XGBFedController(
        num_rounds=int(rounds), data_split_mode=0, secure_training=False, xgb_params=settings,
        xgb_options={"early_stopping_rounds": int(rounds), "use_gpus": False}), id="xgb_controller")
    for site in (f"site-{k + 1}" for k in range(int(sites))):
        job.to(FedXGBHistogramExecutor(data_loader_id="rows", metrics_writer_id="moments"), site, id="executor")
        job.to(Rows(folder), site, id="rows")
        job.to(Moments(f"{folder}/{site}.moments"), site, id="moments")
    environment = PocEnv(num_clients=int(sites))
    began = time.time()
    number = environment.deploy(job)
    submitted = time.time()
    try:
        environment.get_job_result(number, timeout=800.0)
        ended = time.time()
        print(json.dumps({"began": began, "submitted": submitted, "ended": ended,
                          "status": environment.get_job_status(number)}))
    finally:
        environment.stop(clean_up=False)


if __name__ == "__main__":
    main()
