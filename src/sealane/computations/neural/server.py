"""Flower's strategy on the opened sum: every node runs the same step, and nobody hands a model out.

Of Flower only public names are used. Its strategies average what clients reply; here there is one reply, the model
that the cohort's weighted mean update makes, so the average is that model, and what a strategy does beyond averaging
(momentum, adaptive steps) is Flower's own code. No message is built for a node: a strategy asked to configure a round
over a grid without nodes takes note of the model and fills in its settings.

Floats: strategies add, multiply, divide and take roots entry by entry, which every machine rounds alike; FedAdam's
power of a beta is one number and may differ in its last bit, which :mod:`.settled` finds and settles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealane.computations.neural.library import flower
from sealane.computations.neural.parameters import NeuralParameters
from sealane.computations.neural.vector import Shapes, Vector
from sealane.errors import InputError


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a strategy reads of a client's reply."""

    content: Any

    def has_error(self) -> bool:
        """Return that nothing went wrong."""
        return False


class _NoNodes:
    """A grid of no nodes."""

    def get_node_ids(self) -> Iterable[int]:
        """Return none."""
        return []


class Server:
    """The server's half of a strategy.

    Attributes:
        shapes: of the model.
        proximal: what the strategy asks of local training: FedProx's mu.
    """

    def __init__(self, params: NeuralParameters, shapes: Shapes) -> None:
        self._app, strategies = flower()
        self.shapes = shapes
        kind = getattr(strategies, params.strategy, None)
        if kind is None:
            raise InputError("neural.unknown-strategy", "this Flower has no such strategy", got=params.strategy,
                             hint="install a version of flwr that pyproject.toml names")
        self._strategy = kind(min_train_nodes=0, min_evaluate_nodes=0, min_available_nodes=0,
                              **params.strategy_arguments)
        self._round = 0
        self.proximal = float(getattr(self._strategy, "proximal_mu", 0.0))

    def step(self, current: Vector, mean: Vector, weight: float) -> Vector:
        """Return the next model; not finite where the strategy's step is none.

        Args:
            current: the cohort's model.
            mean: the weighted mean of the updates.
            weight: sum of the weights.
        """
        app = self._app
        self._round += 1
        self._strategy.configure_train(self._round, self._record(current), app.ConfigRecord(), _NoNodes())
        reply = app.RecordDict({"arrays": self._record(current + mean),
                                "metrics": app.MetricRecord({"num-examples": float(weight)})})
        arrays, _ = self._strategy.aggregate_train(self._round, [_Reply(reply)])
        return self.shapes.join({name: array.numpy() for name, array in arrays.items()}, current.dtype)

    def _record(self, vector: Vector) -> Any:
        app = self._app
        return app.ArrayRecord({name: app.Array(np.ascontiguousarray(part))
                                for name, part in self.shapes.split(vector).items()})
