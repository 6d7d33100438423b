"""Room for rows that a computation has prepared: in memory, unless the node gives a file of its own for it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Dataset


@runtime_checkable
class Roomy(Protocol):
    """A dataset whose rows lie on disk, with room beside them for as many prepared ones."""

    def room(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return zeros that lie on disk as the rows do.

        Raises:
            RefusedError: more than the rows themselves take was asked for.
        """


def room_for(data: Dataset, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of zeros to be filled with prepared rows."""
    return data.room(shape, dtype) if isinstance(data, Roomy) else np.zeros(shape, dtype)
