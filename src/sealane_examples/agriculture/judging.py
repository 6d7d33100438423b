"""Judging models of a number on held-out rows: at home, over all, and by how many rows of its own a farm has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane_examples.agriculture.at_home import (
    Linear,
    Rows,
    alone,
    common_slopes,
    least_squares,
    root_mean_square,
    tuned,
    with_own_level,
)

ALONE, JOINT, LEVEL, TUNED, POOLED = "alone", "joint", "own level", "tuned at home", "pooled"
DRAWS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One institution's rows: for training, and held out; ``units`` tells which training rows belong together."""

    matrix: Rows
    outcome: Rows
    units: NDArray[np.int64]
    heldout: Rows
    truth: Rows


Models = Mapping[str, Mapping[str, Linear]]
"""By label, then by institution."""


def at_home(parts: Mapping[str, Part], joint: Linear, level: Mapping[str, Linear], slopes: Rows) -> Models:
    """Return all models: joint ones as the federation released them, the others fitted on the rows given."""
    pooled = least_squares(np.concatenate([part.matrix for part in parts.values()]),
                           np.concatenate([part.outcome for part in parts.values()]))
    return {
        ALONE: {name: alone(part.matrix, part.outcome) for name, part in parts.items()},
        JOINT: dict.fromkeys(parts, joint),
        LEVEL: level,
        TUNED: {name: tuned(slopes, part.matrix, part.outcome) for name, part in parts.items()},
        POOLED: dict.fromkeys(parts, pooled),
    }


def errors(parts: Mapping[str, Part], models: Models) -> dict[str, Any]:
    """Return root mean squared errors over all held-out rows, within each institution, and away from home.

    Beside them the median absolute error, which no single row moves.
    """
    lost = {label: {name: part.truth - models[label][name].predict(part.heldout) for name, part in parts.items()}
            for label in models}
    own = {name: part.outcome.mean() for name, part in parts.items()}
    away = {name: [other.truth - models[ALONE][name].predict(other.heldout)
                   for place, other in parts.items() if place != name] for name in parts}
    return {
        "all": {label: root(list(by.values())) for label, by in lost.items()},
        "median": {label: float(np.median(np.abs(np.concatenate(list(by.values()))))) for label, by in lost.items()},
        "within": {name: {"rows": len(part.truth), "errors": {label: root([by[name]]) for label, by in lost.items()},
                          "mean": root([part.truth - own[name]]), "away": root(away[name])}
                   for name, part in parts.items()},
    }


def heaviest(parts: Mapping[str, Part], models: Models) -> dict[str, dict[str, Any]]:
    """Return for each model whose held-out row is furthest off, and its share of all squared error."""
    found: dict[str, dict[str, Any]] = {}
    for label, by in models.items():
        squares = {name: np.square(part.truth - by[name].predict(part.heldout)) for name, part in parts.items()}
        worst = max(squares, key=lambda name: float(squares[name].max()))
        total = sum(float(values.sum()) for values in squares.values())
        found[label] = {"institution": worst, "share": float(squares[worst].max()) / total}
    return found


def points(parts: Mapping[str, Part], models: Models, labels: Sequence[str]) -> dict[str, Any]:
    """Return observed and predicted values of every held-out row, by institution."""
    return {name: {"observed": rounded(part.truth), "predicted": {
        label: rounded(models[label][name].predict(part.heldout)) for label in labels}}
        for name, part in parts.items()}


def learning(parts: Mapping[str, Part], sizes: Sequence[int], seed: int) -> dict[str, list[list[float]]]:
    """Return errors by how many units of its own one institution has, the others having all of theirs.

    An error is that within the institution, over the spread of its held-out outcome, and a mean over institutions and
    draws. Pooled fits stand in for joint ones here, to which they are equal.
    """
    found: dict[str, list[list[float]]] = {label: [] for label in (ALONE, JOINT, LEVEL, TUNED)}
    for size in sizes:
        lost: dict[str, list[float]] = {label: [] for label in found}
        for number, (name, part) in enumerate(parts.items()):
            known = np.unique(part.units)
            if size > len(known):
                continue
            random = np.random.default_rng([seed, number, size])
            others = [(other.matrix, other.outcome) for place, other in parts.items() if place != name]
            spread = float(part.truth.std())
            for _ in range(DRAWS):
                kept = np.isin(part.units, random.choice(known, size, replace=False))
                own = (part.matrix[kept], part.outcome[kept])
                slopes = common_slopes([*others, own])
                everyone = [np.concatenate(pair) for pair in zip(*others, own, strict=True)]
                for label, model in {ALONE: alone(*own), JOINT: least_squares(*everyone),
                                     LEVEL: with_own_level(slopes, *own), TUNED: tuned(slopes, *own)}.items():
                    lost[label].append(root_mean_square(model, part.heldout, part.truth) / spread)
        for label, values in lost.items():
            if values:
                found[label].append([float(size), float(np.mean(values))])
    return found


def root(lost: Sequence[Rows]) -> float:
    """Return the root of the mean square over several arrays."""
    return float(np.sqrt(np.mean(np.square(np.concatenate(lost)))))


def rounded(values: Rows) -> list[float]:
    """Return values with the figures that a picture shows."""
    return [float(f"{value:.5g}") for value in values]
