"""Rows for networks, and a training of the pooled rows in plain PyTorch that shares no code with Sealane."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

try:
    import torch
except ImportError:  # the modules beside skip themselves
    torch = None

LEVELS = ["low", "middle", "high"]
NUMBERS = ["age", "pressure", "dose"]


def people(n: int = 600, seed: int = 20260301) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": random.uniform(20, 80, n).round(1),
        "pressure": random.normal(120, 15, n).round(0),
        "dose": random.gamma(2.0, 3.0, n).round(2),
        "grade": random.choice(LEVELS, n, p=[0.5, 0.3, 0.2]),
        "site": random.integers(0, 3, n),
    })
    slope = 0.05 * (frame.age - 50) - 0.2 * (frame.dose - 6) + (frame.grade == "high") + 0.02 * (frame.pressure - 120)
    frame["ill"] = random.random(n) < 1 / (1 + np.exp(-slope))
    frame["stay"] = (5 + slope + random.normal(0, 1, n)).round(2)
    frame["ward"] = np.select([slope < -1, slope < 1], ["a", "b"], "c")
    return frame


def by_site(frame: pd.DataFrame, column: str = "site") -> dict[str, pd.DataFrame]:
    return {f"n{k}": part.drop(columns=column).reset_index(drop=True) for k, part in frame.groupby(column)}


def first_weights(seed: int, layers: Sequence[tuple[str, tuple[int, ...], float]]) -> dict[str, Any]:
    """Draw weights as docs/neural.md says: SHAKE-256 by name, uniform within the bound."""
    out = {}
    for name, shape, bound in layers:
        data = hashlib.shake_256(f"sealane neural public {seed} {name}".encode()).digest(8 * int(np.prod(shape)))
        words = [int.from_bytes(data[k : k + 8], "little") >> 11 for k in range(0, len(data), 8)]
        out[name] = torch.tensor([(2 * word / 2**53 - 1) * bound for word in words], dtype=torch.float64).reshape(shape)
    return out


def mlp_layers(numbers: int, sizes: Sequence[tuple[int, int]], hidden: Sequence[int], outputs: int) -> list[Any]:
    out: list[Any] = [(f"embeddings.{k}.weight", size, np.sqrt(3.0)) for k, size in enumerate(sizes)]
    width = numbers + sum(size[1] for size in sizes)
    names = [f"body.{2 * k}" for k in range(len(hidden))] + ["head"]
    for name, to in zip(names, [*hidden, outputs], strict=True):
        bound = 1 / np.sqrt(width)
        out += [(f"{name}.weight", (to, width), bound), (f"{name}.bias", (to,), bound)]
        width = to
    return out


def standard(values: pd.DataFrame) -> Any:
    array = values.to_numpy(np.float64)
    return torch.tensor((array - array.mean(axis=0)) / array.std(axis=0))


class Pooled:
    """An MLP by hand: no module of Sealane's, no optimiser of PyTorch's."""

    def __init__(self, frame: pd.DataFrame, numbers: Sequence[str], categories: Mapping[str, Sequence[str]],
                 weights: Mapping[str, Any], depth: int) -> None:
        self.x = standard(frame[list(numbers)])
        self.codes = [torch.tensor(pd.Categorical(frame[name], categories=levels).codes.astype(np.int64) + 1)
                      for name, levels in categories.items()]
        self.weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
        self.depth = depth

    def outputs(self) -> Any:
        w = self.weights
        parts = [self.x, *(w[f"embeddings.{k}.weight"][code] for k, code in enumerate(self.codes))]
        out = torch.cat(parts, dim=1)
        for k in range(self.depth):
            out = torch.relu(out @ w[f"body.{2 * k}.weight"].T + w[f"body.{2 * k}.bias"])
        return out @ w["head.weight"].T + w["head.bias"]

    def descend(self, loss: Any, steps: int, rate: float) -> None:
        for _ in range(steps):
            gradients = torch.autograd.grad(loss(self.outputs()), list(self.weights.values()))
            with torch.no_grad():
                for value, gradient in zip(self.weights.values(), gradients, strict=True):
                    value -= rate * gradient
