"""What a node does with a round: one more tree on its own rows, after the trees of all nodes so far."""

from __future__ import annotations

import numpy as np
import xgboost
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(msg: Message, context: Context) -> Message:
    """Grow one tree and send it."""
    rows = np.load(str(context.node_config["rows"]))  # Flower starts a process for every message, so every time
    matrix = xgboost.DMatrix(rows["x"], label=rows["y"])
    settings = context.run_config
    booster = xgboost.Booster({
        "objective": "binary:logistic", "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
        "max_leaves": settings["leaves"], "max_bin": settings["bins"], "eta": settings["rate"], "nthread": 1,
    }, [matrix])
    model = msg.content["arrays"]["0"].numpy().tobytes()
    if model:
        booster.load_model(bytearray(model))
    booster.update(matrix, booster.num_boosted_rounds())
    newest = booster[booster.num_boosted_rounds() - 1 :]
    reply = RecordDict({
        "arrays": ArrayRecord([np.frombuffer(newest.save_raw("json"), dtype=np.uint8)]),
        "metrics": MetricRecord({"num-examples": len(rows["y"])}),
    })
    return Message(reply, reply_to=msg)
