"""A check that every node holds the same model, which tells all of them alike: it rides along with another sum.

Each node sums the sixteen 16-bit parts d of its model's hash, and their squares. Over n nodes n Σd² = (Σd)² holds for
all parts exactly where all nodes hold the same (Cauchy and Schwarz), and every node sees both sums. Where it does not
hold, the last bits of floating point differ somewhere, and one node's weights are adopted by ``cohort.agree``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, count
from sealane.computations.neural.vector import Vector, digest


def fingerprint(vector: Vector) -> Term:
    """Return the term to sum: parts of the model's hash, and their squares."""
    parts = np.frombuffer(digest(vector), dtype="<u2").astype(np.int64)
    return count(np.stack([parts, parts * parts]), 2.0**32)


def alike(opened: NDArray[np.int64], size: int) -> bool:
    """Return whether all of so many nodes hold the same model."""
    parts, squares = opened
    return bool((size * squares == parts * parts).all())


async def settle(cohort: Cohort, vector: Vector, totals: Mapping[str, NDArray[Any]]) -> Vector:
    """Return the model that all go on with: this node's own, or the adopted one.

    Args:
        cohort: of the run.
        vector: this node's model.
        totals: hold the opened ``fingerprint``.

    Raises:
        ProtocolError: models differ by more than rounding.
    """
    if alike(totals["fingerprint"], cohort.size):
        return vector
    agreed = await cohort.agree(vector.astype(np.float64))
    return agreed.astype(vector.dtype)
