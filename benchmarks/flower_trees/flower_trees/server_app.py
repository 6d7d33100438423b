"""What Flower's server does: its strategy puts the nodes' trees side by side; the moment of each round is noted."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedXgbBagging

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, and leave the model and the moments of its rounds in a folder."""
    settings = context.run_config
    nodes, out = int(settings["nodes"]), Path(str(settings["out"]))
    moments: list[float] = []

    def note(_round: int, _arrays: ArrayRecord) -> None:
        moments.append(time.time())

    strategy = FedXgbBagging(fraction_evaluate=0.0, min_train_nodes=nodes, min_available_nodes=nodes)
    while len(list(grid.get_node_ids())) < nodes:
        time.sleep(0.1)
    found = strategy.start(grid=grid, initial_arrays=ArrayRecord([np.frombuffer(b"", dtype=np.uint8)]),
                           num_rounds=int(settings["rounds"]), evaluate_fn=note)
    (out / "model.json").write_bytes(found.arrays["0"].numpy().tobytes())
    (out / "moments.json").write_text(json.dumps(moments))
