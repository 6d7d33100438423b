"""The public grid of times: event times are told to the width of an interval only, and no interval is a small cell.

Grid time k stands for times in ((k - 1) · resolution, k · resolution]. Who leaves in it leaves at its end and is still
at risk there; who enters late in it enters at its beginning. The counts per grid time are opened at the nodes,
neighbours are then merged by a rule that reads nothing but these counts, and from there on only merged times exist:
events, leavings without one and late entries each on merged times of their own. Who leaves in an interval of several
grid times leaves at the one by which half of them have. Rows move in whole intervals only, wherever in it they are
put, so no difference of two risk sets on merged times rests on fewer rows than the minimum count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sealane.computations.columns import limits
from sealane.errors import InputError
from sealane.governance.contract import Field

DEFAULT_CELLS = 5_000
"""Intervals that the default resolution stays at or under: ten days in a hundred years; merging does the rest."""
MAXIMUM_CELLS = 20_000
"""Intervals of one grid; a week is one of 5,218 in a hundred years."""
ROUNDING = 1e-9
"""Share of an interval by which a time may exceed a grid time and still be that one: 1.1 is 11 times 0.1."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FineGrid:
    """Grid times 0, 1, …, ``last`` times the resolution, before any are merged.

    Attributes:
        resolution: width of an interval in the unit of the duration.
        last: number of the last grid time.
        horizon: time after which nobody is followed, or None.
        chosen: whether the study named the resolution; else it follows from the contract's range.
        unit: of the duration, as the contract writes it.
    """

    resolution: float
    last: int
    horizon: float | None
    chosen: bool
    unit: str | None

    @property
    def size(self) -> int:
        """Number of grid times."""
        return self.last + 1

    def describe(self) -> dict[str, object]:
        """Return what a result says of its grid, JSON-ready."""
        return {"resolution": self.resolution, "chosen_by": "study" if self.chosen else "contract", "unit": self.unit,
                "horizon": self.horizon}

    def times(self, places: Places) -> list[float]:
        """Return grid times in the unit of the duration."""
        return [place * self.resolution for place in places.tolist()]

    def place(self, times: NDArray[np.float64]) -> Places:
        """Return the grid time of each time, shape ``(n_rows,)``; times past the end get ``last + 1``."""
        steps, nearest, exact = self._steps(times)
        placed = np.where(exact, nearest, np.ceil(steps))
        return np.minimum(placed, float(self.last + 1)).astype(np.int64)

    def place_before(self, times: NDArray[np.float64]) -> Places:
        """Return the last grid time that is not after each time; times past the end get ``last``."""
        steps, nearest, exact = self._steps(times)
        return np.minimum(np.where(exact, nearest, np.floor(steps)), float(self.last)).astype(np.int64)

    def _steps(self, times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        steps = np.asarray(times, dtype=np.float64) / self.resolution
        nearest = np.rint(steps)
        return steps, nearest, np.abs(steps - nearest) <= ROUNDING * np.maximum(1.0, np.abs(steps))


@dataclass(frozen=True, slots=True)
class Merged:
    """Grid times after merging: what lies in (edges[j - 1], edges[j]] happens at one time of that interval.

    Attributes:
        edges: numbers of the grid times at which intervals end, ascending; the first interval begins at 0.
        occupied: how many grid times held anything before.
        middles: grid time at which what lies in each interval happens; None where that is its end.
    """

    edges: tuple[int, ...]
    occupied: int
    middles: tuple[int, ...] | None = None

    @property
    def places(self) -> Places:
        """The grid times that are left, one for each interval, ascending."""
        return np.array(self.edges if self.middles is None else self.middles, dtype=np.int64)

    def move(self, places: Places) -> Places:
        """Return the time of the interval of each grid time, none of which lies past the last edge."""
        return self.places[np.searchsorted(np.array(self.edges, dtype=np.int64), places, side="left")]

    def centred(self, counts: Places) -> Merged:
        """Return the same intervals, in each of which everything happens where half of it has.

        At the end of a long interval few rows are still at risk, so that all its events would count for too much there.

        Args:
            counts: shape ``(n_places,)``: what was merged.
        """
        total = counts.cumsum()
        until = total[np.array(self.edges, dtype=np.int64)]
        within = np.diff(until, prepend=0)
        halves = np.searchsorted(total, until - within + (within + 1) // 2, side="left")
        return replace(self, middles=tuple(halves.tolist()))


def fine_grid(field: Field, resolution: float | None, horizon: float | None) -> FineGrid:
    """Lay the grid over the contract's range of the duration.

    Without a resolution it is the least of 1, 2 or 5 times a power of ten that gives at most ``DEFAULT_CELLS``
    intervals, and at least 1 where the contract says that durations are whole.

    Raises:
        InputError: no range, a range that ends at 0, a horizon outside it, or too many intervals.
    """
    end = limits(field)[1]
    if end <= 0.0:
        raise InputError("survival.no-time", f"the contract leaves no time in {field.name!r}", got=f"at most {end:g}",
                         expected="a maximum above 0")
    if horizon is not None:
        if horizon > end:
            raise InputError("survival.horizon", f"the horizon lies past the contract's range of {field.name!r}",
                             got=f"{horizon:g}", expected=f"at most {end:g}")
        end = horizon
    width = resolution if resolution is not None else _default(end, whole=field.type != "number")
    if resolution is None and horizon is not None:
        width = next((part for part in (width, width / 2, width / 5) if _whole(horizon / part)), width)
    last = round(end / width) if _whole(end / width) else math.ceil(end / width)
    if horizon is not None and not _whole(horizon / width):
        raise InputError("survival.horizon", "the horizon is no whole number of grid intervals",
                         got=f"{horizon:g}", expected=f"a multiple of the resolution {width:g}")
    if last + 1 > MAXIMUM_CELLS:
        raise InputError("survival.grid-too-fine", "the resolution makes too many grid intervals", got=last,
                         expected=f"under {MAXIMUM_CELLS}", hint="ask for a coarser resolution or a horizon")
    return FineGrid(width, last, horizon, resolution is not None, field.unit)


def merge(counts: Places, minimum_count: int) -> Merged | None:
    """Merge neighbouring grid times until no count at any of them lies between 0 and the minimum count.

    Intervals are closed from the left as soon as they obey the rule; what is left at the end joins the intervals before
    it. Empty grid times between intervals belong to the interval after them.

    Args:
        counts: shape ``(n_counts, n_places)``: what is merged together, such as the events of groups to be compared.
        minimum_count: fewest rows of a count at a grid time that has any.

    Returns:
        The merged grid times; None where a count over all times is under the minimum but not 0, so that nothing helps.
    """
    whole = counts.sum(axis=1)
    if bool(((whole > 0) & (whole < minimum_count)).any()):
        return None
    occupied = np.flatnonzero(counts.sum(axis=0))
    edges: list[int] = []
    sums: list[Places] = []
    running = np.zeros(len(counts), dtype=np.int64)
    for place in occupied.tolist():
        running = running + counts[:, place]
        if _obeys(running, minimum_count):
            edges.append(place)
            sums.append(running)
            running = np.zeros(len(counts), dtype=np.int64)
    if bool(running.any()):
        while sums and not _obeys(running, minimum_count):
            running = running + sums.pop()
            edges.pop()
        edges.append(int(occupied[-1]))
    return Merged(tuple(edges), len(occupied))


def merge_earlier(counts: Places, minimum_count: int) -> Merged | None:
    """Merge the other way round: intervals are closed from the right, and what is in one happens at its beginning."""
    found = merge(counts[:, ::-1], minimum_count)
    last = counts.shape[1] - 1
    return None if found is None else Merged(tuple(last - edge for edge in reversed(found.edges)), found.occupied)


def refine(counts: Places, coarse: Merged, minimum_count: int) -> Merged:
    """Merge one count within the intervals of a coarser merging that it took part in.

    Args:
        counts: shape ``(n_places,)``.
        coarse: in whose every interval the count is 0 or at least the minimum.
        minimum_count: as before.
    """
    edges: list[int] = []
    first = 0
    for edge in coarse.edges:
        found = merge(counts[None, first : edge + 1], minimum_count)
        edges += [] if found is None else [first + place for place in found.edges]
        first = edge + 1
    return Merged(tuple(edges), int(np.count_nonzero(counts)))


def _whole(steps: float) -> bool:
    return abs(steps - round(steps)) <= ROUNDING * max(1.0, steps)


def _obeys(numbers: NDArray[np.int64], minimum_count: int) -> bool:
    return not bool(((numbers > 0) & (numbers < minimum_count)).any())


def _default(end: float, *, whole: bool) -> float:
    least = end / DEFAULT_CELLS
    power = math.floor(math.log10(least)) - 1
    for exponent in range(power, power + 3):
        for digit in (1, 2, 5):
            width = digit * 10.0**exponent if exponent >= 0 else digit / 10.0**-exponent
            if end <= width * DEFAULT_CELLS * (1.0 + ROUNDING):
                return max(width, 1.0) if whole else width
    raise AssertionError("one of three powers of ten is wide enough")
