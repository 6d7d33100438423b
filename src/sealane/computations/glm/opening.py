"""Sums whose terms no contract bounds: each node holds its own against one public ceiling.

A mean behind a logarithm, a weight behind an inverse: nothing in a contract says how large they may grow at
coefficients on the way. So the bound is one number, the same at all nodes and in all models. A node whose own terms
are not finite or cross it, or rest on few of its rows, contributes random ones and says so in the same sum; the
coefficients are then stepped back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort, count, real
from sealane.computations.newton import Array
from sealane.errors import RefusedError

CEILING = 2.0**56
"""Largest absolute value that one node's sum may have, in standardised units. Rows number 2^40 at most, and a ring of
128 bits keeps 60 fractional bits for a thousand nodes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Opened sums, random where ``runaway``: some node's own terms were past the ceiling, or none."""

    sums: dict[str, Array]
    runaway: bool

    def one(self, name: str) -> float:
        """Return a sum of one entry."""
        return float(self.sums[name].reshape(-1)[0])


async def open_sums(cohort: Cohort, own: Mapping[str, Array] | None, shapes: Mapping[str, tuple[int, ...]]) -> Opened:
    """Sum arrays over the cohort: one sum.

    Args:
        cohort: of the run.
        own: this node's arrays; None where it has no legal ones.
        shapes: theirs, public.
    """
    fits = own is not None and all(  # a comparison with what is no number says no
        bool((np.abs(values) <= CEILING).all()) for values in own.values())
    terms = {name: np.asarray(own[name], dtype=np.float64).reshape(shape) if own is not None and fits
             else np.zeros(shape) for name, shape in shapes.items()}
    opened = await cohort.sum({name: real(values, CEILING, void=not fits) for name, values in terms.items()}
                              | {"runaway": count([0 if fits else 1], 1)})
    runaway = int(opened.pop("runaway")[0]) > 0
    return Opened({name: np.asarray(values, dtype=np.float64) for name, values in opened.items()}, runaway)


def out_of_range(what: str) -> RefusedError:
    """Return the error for sums that no node may have from the start."""
    return RefusedError("glm.range-too-wide", f"{what} cannot be summed exactly", got="a node's sum past the ceiling",
                        expected=f"at most 2^{np.log2(CEILING):.0f}",
                        hint="use larger units of measurement, or take a logarithm")


def packed(matrix: Array) -> Array:
    """Return the upper triangle of a symmetric matrix, row by row."""
    return np.asarray(matrix[np.triu_indices(len(matrix))], dtype=np.float64)


def unpacked(triangle: Array, size: int) -> Array:
    """Return the symmetric matrix of an upper triangle."""
    full = np.zeros((size, size), dtype=np.float64)
    rows, columns = np.triu_indices(size)
    full[rows, columns] = triangle
    full[columns, rows] = triangle
    return full
