"""What is summed: named arrays whose shape, kind and bound are public, and whose values are not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["count", "real", "update"]


@dataclass(frozen=True, slots=True)
class Term:
    """One named array of a sum.

    Attributes:
        values: integers for ``count``, floats otherwise; any shape. Private.
        kind: ``count`` sums to the exact integer; ``real`` is exact fixed point; ``update`` is clipped to ``bound``
            and quantised to ``bits`` by stochastic rounding.
        bound: the largest absolute value an entry may have at one node. Crossing it is an error, except for
            ``update``, which is clipped.
        bits: width of a quantised entry, 4 to 24; only for ``update``.
        norm: largest Euclidean norm of an update at one node: longer ones are scaled down, and rounding is drawn again
            until it keeps to it. 0 where there is none.
        noise: deviation of the discrete Gaussian noise on the sum, in steps of the quantised grid (of a count: in
            ones), that survivors but for the colluding ones add to it before it is protected. None where there is
            none; ``real`` has none.
        void: this node's values are not to be told: random ones take their place, which hide the other nodes' too. Only
            for ``real``; private, unlike all else here but ``values``, so the sum must hold a count of such nodes.
        signed: whether a ``count`` may be negative; else nodes hold its entries and its sum to 0 and more.
        whole: the sum opens for the whole cohort only, whatever drop-outs its scheme would allow: for one whose entries
            are of some institutions, which would be fewer without those that dropped out.
    """

    values: NDArray[Any]
    kind: Kind
    bound: float
    bits: int = 0
    norm: float = 0.0
    noise: Decimal | None = None
    whole: bool = False
    signed: bool = False
    void: bool = False


def count(values: Any, bound: float, *, noise: Decimal | str | None = None, signed: bool = False) -> Term:
    """Describe integers, each from 0 (from ``-bound`` if ``signed``) to ``bound`` at one node.

    See :class:`Term` for ``noise``.
    """
    return Term(np.asarray(values, dtype=np.int64), "count", float(bound),
                noise=None if noise is None else Decimal(noise), signed=signed)


def real(values: Any, bound: float, *, void: bool = False) -> Term:
    """Describe real numbers, each at most ``bound`` in absolute value at one node. See :class:`Term` for ``void``."""
    return Term(np.asarray(values, dtype=np.float64), "real", float(bound), void=void)


def update(
    values: Any, clip: float, bits: int = 16, *, norm: float = 0.0, noise: Decimal | str | None = None
) -> Term:
    """Describe a clipped, quantised update (a model's change). See :class:`Term` for ``norm`` and ``noise``."""
    array = np.asarray(values)
    return Term(array if array.dtype == np.float32 else array.astype(np.float64), "update", float(clip), bits,
                float(norm), None if noise is None else Decimal(noise))
