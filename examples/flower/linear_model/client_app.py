"""One step of gradient descent on this node's own rows, which are made up from its partition-id."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


def rows(partition: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and outcomes; nodes have different numbers of rows."""
    rng = np.random.default_rng(partition)
    x = rng.normal(size=(200 + 50 * (partition % 5), 3))
    return x, x @ [2.0, -1.0, 0.5] + rng.normal(scale=0.1, size=len(x))


@app.train()
def train(message: Message, context: Context) -> Message:
    """Return this node's model after one step, its number of rows, and the loss before the step."""
    x, y = rows(int(context.node_config["partition-id"]))
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    residuals = x @ weights - y
    weights = weights - float(context.run_config["learning-rate"]) * x.T @ residuals / len(y)
    metrics = MetricRecord({"num-examples": len(y), "loss": float(residuals @ residuals / len(y))})
    return Message(RecordDict({"arrays": ArrayRecord([weights]), "metrics": metrics}), reply_to=message)
