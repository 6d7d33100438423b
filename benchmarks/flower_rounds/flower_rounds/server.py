"""The server half: Flower's FedAvg, timed by the round."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class Timed(FedAvg):
    """FedAvg that notes how long each round took."""

    def __init__(self, **options):
        super().__init__(**options)
        self.times = []

    def configure_train(self, *arguments):
        """Note when the round begins."""
        self.began = time.monotonic()
        return super().configure_train(*arguments)

    def aggregate_train(self, number, replies):
        """Note how long the round took."""
        done = super().aggregate_train(number, replies)
        self.times.append(time.monotonic() - self.began)
        return done


@app.main()
def main(grid, context):
    """Run the rounds, and leave their times."""
    config = context.run_config
    nodes = config["nodes"]
    strategy = Timed(fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes)
    start = ArrayRecord([np.random.default_rng(0).standard_normal(config["values"], dtype=np.float32)])
    strategy.start(grid, start, num_rounds=config["rounds"], timeout=600)
    Path(config["out"]).write_text(json.dumps(strategy.times))
