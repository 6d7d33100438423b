"""A node's own rows in a network's units, and which of them it learns from. Private.

They are laid out column by column, in room that the node gives: in memory, or mapped from a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Dataset
from sealane.computations.neural.draws import Draws
from sealane.computations.neural.inputs import Inputs, Own
from sealane.computations.neural.outcome import Target
from sealane.computations.neural.screening import Split
from sealane.computations.room import room_for
from sealane.computations.trees.sampling import private_seed_of


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as a network takes them.

    Attributes:
        numbers: in standard units, float32 (float64 for double precision), shape ``(n, d)``.
        codes: rows of embeddings, int64, shape ``(n, k)``.
        outcome: class places as int64, else float, in standard units for a regression; shape ``(n,)``.
    """

    numbers: NDArray[np.floating]
    codes: NDArray[np.int64]
    outcome: NDArray[np.generic]

    def __len__(self) -> int:
        return len(self.outcome)

    def part(self, where: slice) -> Rows:
        """Return some of the rows."""
        return Rows(self.numbers[where], self.codes[where], self.outcome[where])


def private_draws(seed: int, own: Own, outcome: NDArray[np.float64]) -> Draws:
    """Return what chooses this node's rows, by a public seed and all that the node holds."""
    return Draws(private_seed_of(seed, chain[NDArray[Any]](own.numbers.values(), own.codes.values(), (outcome,))))


def split_rows(own: Own, outcome: NDArray[np.float64], missing: str, fraction: float, draws: Draws) -> Split:
    """Draw which complete rows are kept for validation, anew at every fraction.

    Were one draw within another, models of both would tell what the few rows between them hold.
    """
    kept = ~np.isnan(outcome)
    if missing == "drop":
        for values in own.numbers.values():
            kept &= ~np.isnan(values)
    places = np.flatnonzero(kept)
    validation = np.zeros(len(kept), dtype=np.bool_)
    if fraction:
        drawn = places[draws.order(f"{fraction.hex()} of validation", len(places))]
        validation[drawn[: int(len(places) * fraction)]] = True
    return Split(kept & ~validation, validation)


def in_units(data: Dataset, own: Own, outcome: NDArray[np.float64], where: NDArray[np.bool_], inputs: Inputs,
             target: Target, *, double: bool) -> Rows:
    """Return the marked rows in a network's units, in room that the dataset gives."""
    real = np.float64 if double else np.float32
    size = int(where.sum())
    numbers = room_for(data, (size, len(inputs.numbers)), np.dtype(real))
    for place, one in enumerate(inputs.numbers):
        numbers[:, place] = one.standard(own.numbers[one.name][where])
    codes = room_for(data, (size, len(inputs.categories)), np.dtype(np.int64))
    for place, category in enumerate(inputs.categories):
        codes[:, place] = category.places(own.codes[category.name][where])
    values = outcome[where]
    if target.task == "multiclass":
        return Rows(numbers, codes, values.astype(np.int64))
    return Rows(numbers, codes, ((values - target.centre) / target.scale).astype(real))
