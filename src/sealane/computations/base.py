"""The one abstraction: every node runs the same program, and two collectives join them.

A computation is a coroutine that runs at every node on that node's rows. What it learns of the others comes through
``cohort.sum`` (an exact sum over the cohort, opened at the nodes) and ``cohort.agree`` (a public value that every
node derived and one node's bytes settle). Whatever it returns is the same at every node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from sealane.governance.contract import Contract
from sealane.secagg.terms import Term as Term
from sealane.secagg.terms import count as count
from sealane.secagg.terms import real as real
from sealane.secagg.terms import update as update
from sealane.secagg.weighted import weighted as weighted
from sealane.secagg.weighted import weighted_mean as weighted_mean

P = TypeVar("P", bound="Parameters")
Payload = dict[str, Any]
"""A result as JSON-ready values, the same at every node."""


class Cohort(Protocol):
    """The institutions of a run, seen from one node."""

    @property
    def size(self) -> int:
        """Number of institutions whose rows are summed."""

    @property
    def run(self) -> str:
        """Public id of the run: no other run has it, and a node that starts again in mid-run has the same."""

    @property
    def honest(self) -> int:
        """Fewest shares of noise in a sum that no colluder knows: the smallest cohort, less the colluding ones."""

    @property
    def minimum_count(self) -> int:
        """Fewest rows that may stand behind a released cell."""

    @property
    def smallest(self) -> int:
        """Fewest institutions for which a sum is opened."""

    @property
    def exposed(self) -> bool:
        """Whether every institution here waived, by name, that its own contribution may become computable.

        Only then may a result show what belongs to a single institution.
        """

    @property
    def names(self) -> tuple[str, ...]:
        """The institutions' names, sorted; a study has no two of one name."""

    @property
    def place(self) -> int:
        """This node's own place in ``names``; the only thing here that differs between nodes."""

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

    async def correspond(self, letters: Mapping[str, bytes]) -> dict[str, bytes]:
        """Write to single members by name, and return what they wrote to this one: only under the scheme ``none``.

        All members take part, those too who write nothing. What is written, its receiver reads: no sum hides it. A run
        that has written cannot be taken up again by a node that was stopped.

        Raises:
            RefusedError: the study secures its sums, the node's policy gate says no, or this node was stopped before.
            ProtocolError: another party's bytes do not verify.
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


def misfit(expected: str, hint: str) -> PydanticCustomError:
    """Return what a validator of parameters raises so that the refusal has a hint.

    Args:
        expected: what would have been right, or why this is not.
        hint: what to write instead.
    """
    return PydanticCustomError("misfit", "{expected}", {"expected": expected, "hint": hint})


class Computation(Protocol[P]):
    """One named computation, such as ``glm.fit``.

    One whose result is made of aggregates also declares ``individual_level = False``: without it a result is taken
    for a model that may remember single people (see :func:`sealane.computations.registry.individual_level`). ``opens``
    says in plain words what the nodes see of opened sums beside the result; a steward reads it before signing. Modules
    that load slowly it may name as ``late``: a node's sandbox imports them before its first run.
    """

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
