"""Virtual Flower nodes with ``secure_sum_mod``, of which each changes the model in its own way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

pytest.importorskip("flwr")

from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from sealane.computations.flower_app.grid import SealaneGrid, make_grid
from sealane.computations.flower_app.library import load
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.flower import SecureSum, secure_sum_mod
from sealane.flower.processes import seats
from sealane.flower.virtual import VirtualNodes

FLOWER = load()
START = [np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), np.zeros(5, np.float32)]
CLIP, CAP = 0.5, 400.0
ROWS = (100, 250, 400, 175)
SEEDS = [bytes([place]) * 32 for place in range(4)]
KEYS = [SigningKey(Secret(seed)) for seed in SEEDS]
Change = Callable[[int, list[np.ndarray]], list[np.ndarray]]


def changes(place: int) -> list[np.ndarray]:
    rng = np.random.default_rng(place)
    return [rng.uniform(-0.4, 0.4, array.shape).astype(np.float32) for array in START]


def usual(place: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [array + change for array, change in zip(arrays, changes(place), strict=True)]


def client_app(change: Change = usual, mod: Any = secure_sum_mod) -> ClientApp:
    app = ClientApp(mods=[mod] if mod else [])

    @app.train("other")
    @app.train()
    def train(message: Any, context: Any) -> Any:
        place = context.node_config["partition-id"]
        arrays = change(place, message.content["arrays"].to_numpy_ndarrays())
        metrics = MetricRecord({"num-examples": ROWS[place], "private": 0.123456789 + place})
        return Message(RecordDict({"arrays": ArrayRecord(arrays), "metrics": metrics}), reply_to=message)

    return app


class Wire(VirtualNodes):
    """Virtual nodes whose every reply is kept, and of which some may go silent at a step."""

    replies: list[bytes]
    silent: tuple[int, str] = (0, "")

    def _work(self, node: int, data: bytes) -> None:
        asked = FLOWER.read(data).content
        if "sealane" in asked and (node, asked["sealane"]["step"]) == self.silent:
            self._lost(node, "gone")
            return
        answer = self._halves[node].answer(data)
        self.replies.append(answer)
        self._arrived(node, answer)


@contextmanager
def federation(app: ClientApp, nodes: int = 3, config: Callable[[int], dict[str, Any]] = lambda place: {},
               silent: tuple[int, str] = (0, "")) -> Iterator[tuple[SealaneGrid, Wire]]:
    places = seats("none", nodes, {})
    for place, seat in enumerate(places):
        seat.node_config.update(config(place))
    wire = Wire(FLOWER, app, places, threads=2)
    wire.replies, wire.silent = [], silent
    with wire:
        yield make_grid(FLOWER, wire, tolerate=True), wire


def one_round(grid: Any, strategy: Any = None, rounds: int = 1, **terms: Any) -> list[np.ndarray]:
    strategy = strategy or FedAvg(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1)
    secure = SecureSum(grid, **{"clip": CLIP, "cap": CAP, **terms})
    arrays: list[np.ndarray] = strategy.start(secure, ArrayRecord(START), num_rounds=rounds).arrays.to_numpy_ndarrays()
    return arrays


def expected(places: tuple[int, ...], start: list[np.ndarray] = START) -> list[np.ndarray]:
    weights = np.array([ROWS[place] for place in places], float)
    return [array + np.tensordot(weights / weights.sum(), np.array([changes(place)[k] for place in places]), 1)
            for k, array in enumerate(start)]


def tolerance(places: tuple[int, ...], bits: int = 16) -> float:
    """One step of each node's rounding, over the share of the cap that all weights are; the weight's own comes too."""
    return 2 * len(places) * (2 * CLIP / (2**bits - 1)) * CAP / sum(ROWS[place] for place in places)
