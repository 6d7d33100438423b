"""What a node fits by itself: a generalised linear model of an outcome, or a Cox model of times. Private throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealane.computations.design.layout import Design, Measured, Placement
from sealane.computations.design.variables import Array
from sealane.computations.disclosure import ROWS_PER_COLUMN
from sealane.computations.meta.local import LocalFit, OwnFamily, enough, fit
from sealane.computations.meta.local_cox import fit_cox
from sealane.computations.meta.parameters import MetaParameters
from sealane.computations.outcome import Outcome, read_outcome
from sealane.computations.survival.rows import check_time, read_times
from sealane.governance.contract import Contract

Kept = NDArray[np.bool_]


class OwnModel(Protocol):
    """A node's own outcome, and how it is modelled."""

    @property
    def known(self) -> Kept:
        """Rows in which the outcome is known."""

    def enough(self, kept: Kept, minimum_count: int) -> bool:
        """Say whether kept rows, and events among them, reach the minimum count."""

    def beside(self, kept: Kept) -> list[Measured]:
        """Return what is to be measured over the cohort beside the features."""

    def place(self, design: Design) -> Placement:
        """Return where the outcome lies, if it is standardised."""

    def fit(self, x: Array, kept: Kept, place: Placement) -> LocalFit | None:
        """Fit kept rows; None where they are too few for the columns or there is no finite answer."""


@dataclass(frozen=True, slots=True)
class OwnGlm:
    """A generalised linear model of ``y``, missing as NaN."""

    outcome: Outcome
    family: OwnFamily
    y: Array

    @property
    def known(self) -> Kept:
        """Rows in which the outcome is known."""
        return ~np.isnan(self.y)

    def enough(self, kept: Kept, minimum_count: int) -> bool:
        """Say whether rows, and the rarer outcome among them, reach the minimum count."""
        return enough(self.y[kept], self.family, minimum_count)

    def beside(self, kept: Kept) -> list[Measured]:
        """Return the outcome."""
        return [Measured(self.outcome.name, self.outcome.low, self.outcome.high, self.y[kept])]

    def place(self, design: Design) -> Placement:
        """Return mean and spread of the outcome in a gaussian model."""
        return design.measured[self.outcome.name] if self.family == "gaussian" else Placement()

    def fit(self, x: Array, kept: Kept, place: Placement) -> LocalFit | None:
        """Fit, given three rows per column."""
        if len(x) < ROWS_PER_COLUMN * x.shape[1]:
            return None
        return fit(x, (self.y[kept] - place.centre) / place.scale, self.family)


@dataclass(frozen=True, slots=True)
class OwnCox:
    """A Cox model of times, missing as NaN, and kinds, missing as -1."""

    time: Array
    kind: NDArray[np.int64]

    @property
    def known(self) -> Kept:
        """Rows in which time and event are known."""
        return ~np.isnan(self.time) & (self.kind >= 0)

    def enough(self, kept: Kept, minimum_count: int) -> bool:
        """Say whether events reach the minimum count."""
        return int((self.kind[kept] > 0).sum()) >= minimum_count

    def beside(self, kept: Kept) -> list[Measured]:
        """Return nothing: times stay as they are."""
        return []

    def place(self, design: Design) -> Placement:
        """Return where nothing is standardised."""
        return Placement()

    def fit(self, x: Array, kept: Kept, place: Placement) -> LocalFit | None:
        """Fit, given three events per column."""
        dead = (self.kind[kept] > 0).astype(np.float64)
        if int(dead.sum()) < ROWS_PER_COLUMN * x.shape[1]:
            return None
        return fit_cox(x, self.time[kept], dead)


def read_model(frame: pd.DataFrame, contract: Contract, params: MetaParameters) -> OwnModel:
    """Read a node's outcome.

    Raises:
        InputError: a column that cannot play its part, or rows outside the contract.
    """
    if params.family == "cox":
        check_time(contract, params.times)
        times = read_times(frame, contract, params.times)
        return OwnCox(times.end, times.kind)
    outcome = read_outcome(contract.field(params.outcome_column), params.family)
    return OwnGlm(outcome, params.family, outcome.read(frame[params.outcome_column], params.family))
