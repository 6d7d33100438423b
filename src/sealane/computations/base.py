"""The one abstraction: every node runs the same program, and two collectives join them.

A computation is a coroutine that runs at every node on that node's rows. What it learns of the others comes through
``cohort.sum`` (an exact sum over the cohort, opened at the nodes) and ``cohort.agree`` (a public value that every
node derived and one node's bytes settle). Whatever it returns is the same at every node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from sealane.governance.contract import Contract

P = TypeVar("P", bound="Parameters")
Payload = dict[str, Any]
"""A result as JSON-ready values, the same at every node."""


@dataclass(frozen=True, slots=True)
class Term:
    """One named array of a sum: its values are private, all else is public and the same at every node.

    Attributes:
        values: shape ``shape``; integers for ``count``, floats for ``real``.
        kind: ``count`` sums to the exact integer; ``real`` is fixed point with at least 56 fractional bits;
            ``update`` is clipped to ``bound`` and quantised to ``bits`` by stochastic rounding.
        bound: the largest absolute value an entry may have at one node. Crossing it is an error, except for
            ``update``, which is clipped.
        bits: width of a quantised entry, 4 to 24; only for ``update``.
    """

    values: NDArray[Any]
    kind: Literal["count", "real", "update"]
    bound: float
    bits: int = 0


def count(values: Any, bound: int) -> Term:
    """Describe integers, each at most ``bound`` at one node."""
    return Term(np.asarray(values, dtype=np.int64), "count", bound)


def real(values: Any, bound: float) -> Term:
    """Describe real numbers, each at most ``bound`` in absolute value at one node."""
    return Term(np.asarray(values, dtype=np.float64), "real", float(bound))


def update(values: Any, clip: float, bits: int = 16) -> Term:
    """Describe a clipped, quantised update (a model's change)."""
    return Term(np.asarray(values, dtype=np.float64), "update", float(clip), bits)


class Cohort(Protocol):
    """The institutions of a run, seen from one node."""

    @property
    def size(self) -> int:
        """Number of institutions whose rows are summed."""

    @property
    def minimum_count(self) -> int:
        """Fewest rows that may stand behind a released cell."""

    async def sum(self, terms: Mapping[str, Term]) -> dict[str, NDArray[Any]]:
        """Return the cohort's sum of each term: int64 for ``count``, float64 otherwise, in the term's shape.

        Raises:
            InputError: a value is not finite or crosses its bound.
            RefusedError: the node's policy gate says no.
            ProtocolError: another party's bytes do not verify.
            UnavailableError: the run ended because a node was lost.
        """

    async def agree(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Settle a public array that every node derived: one node's bytes are adopted, the others check them.

        Raises:
            ProtocolError: the proposal is further than 1e-9 relative from what this node derived.
        """


class Dataset(Protocol):
    """What a computation may read at a node."""

    @property
    def contract(self) -> Contract:
        """The data contract that the rows conform to."""

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return the named columns of all rows, missing values as NaN or None."""


class Parameters(BaseModel):
    """Base of every computation's parameters: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Computation(Protocol[P]):
    """One named computation, such as ``glm.fit``."""

    @property
    def name(self) -> str:
        """Return the dotted name by which a study asks for it."""

    @property
    def parameters(self) -> type[P]:
        """Return the model that a study's parameters must satisfy."""

    def columns(self, params: P) -> list[str]:
        """Return the columns it reads, so that a gate can hold them against the contract."""

    async def run(self, data: Dataset, cohort: Cohort, params: P) -> Payload:
        """Compute, and return what is to be released."""

    def present(self, payload: Payload) -> Any:
        """Turn a released payload into the object that a reader of the field expects."""
