"""The coarse bins of a feature: what is shown, and so never fewer rows, events or non-events than the minimum count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.scorecard.features import Feature, number_of_fine
from sealane.computations.scorecard.merging import (
    Group,
    Groups,
    at_most,
    large_enough,
    monotone,
    nearest_to,
    without_empty,
)
from sealane.computations.scorecard.parameters import ScorecardParameters


@dataclass(frozen=True, slots=True)
class Binned:
    """A feature and its coarse bins.

    Attributes:
        feature: of the card.
        edges: between fine bins of a number.
        bins: in order; one of missing values alone comes last.
    """

    feature: Feature
    edges: tuple[float, ...]
    bins: tuple[Group, ...]

    @property
    def missing(self) -> int:
        """Place of the bin that takes missing values."""
        place = number_of_fine(self.feature, self.edges)
        return next(k for k, group in enumerate(self.bins) if place in group.parts)

    @property
    def cuts(self) -> list[float]:
        """Edges between coarse bins of a number; a value at an edge belongs to the bin under it."""
        last = number_of_fine(self.feature, self.edges)
        ends = [max(part for part in group.parts if part != last) for group in self.bins if group.parts != (last,)]
        return [self.edges[end] for end in ends[:-1]]

    def places(self, fine: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return each row's coarse bin from its fine one. Private."""
        at = np.zeros(number_of_fine(self.feature, self.edges) + 1, dtype=np.int64)
        for k, group in enumerate(self.bins):
            at[list(group.parts)] = k
        return np.asarray(at[fine], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Least:
    """What every bin has to hold; ``share`` is the least number of rows, but for missing values."""

    minimum: int
    share: int

    def allows(self, group: Group) -> bool:
        """Say whether a bin may be shown."""
        return self.shown(group) and group.rows >= self.share

    def shown(self, group: Group) -> bool:
        """Say whether all three numbers of a bin may be shown."""
        return min(group.events, group.others) >= self.minimum


def coarse_bins(
    feature: Feature, edges: tuple[float, ...], counts: NDArray[np.int64], params: ScorecardParameters, minimum: int
) -> Binned:
    """Join fine bins until all may be shown; where that leaves one, the feature tells nothing.

    Args:
        feature: of the card.
        edges: between fine bins of a number.
        counts: opened rows with and without the event by fine bin, missing last, shape ``(fine + 1, 2)``.
        params: of the study.
        minimum: the minimum count.
    """
    *known, missing = [Group((k,), events, others) for k, (events, others) in enumerate(counts.tolist())]
    least = Least(minimum, math.ceil(params.minimum_share * int(counts.sum())))
    ordered = _by_rate(known, least) if feature.levels else without_empty(known)
    if not feature.levels and params.binning == "monotone":
        ordered = monotone(ordered)
    threshold = params.chi_square if params.binning == "chi-merge" else None
    groups = at_most(large_enough(ordered, least.allows), params.bins, threshold)
    return Binned(feature, edges, _with_missing(groups, missing, least))


def _by_rate(levels: Groups, least: Least) -> Groups:
    """Return levels by their rate of events; those that may not be shown by themselves are one group to begin with."""
    shown = [level for level in levels if least.shown(level)]
    rare = [level for level in levels if not least.shown(level)]
    if rare:
        together = rare[0]
        for level in rare[1:]:
            together = together.joined(level)
        if together.rows == 0 and shown:  # nobody has these levels: they go where missing values go
            rates = Fraction(sum(one.events for one in shown), sum(one.rows for one in shown))
            place = nearest_to(rates, shown)
            shown[place] = shown[place].joined(together)
        else:
            shown.append(together)
    return sorted(shown, key=lambda group: (group.rate, group.parts))


def _with_missing(groups: Groups, missing: Group, least: Least) -> tuple[Group, ...]:
    """Give missing values a bin of their own if it may be shown, else the bin whose rate is nearest to that of all."""
    if len(groups) == 1 and not least.shown(groups[0]):
        return (groups[0].joined(missing),)
    if least.shown(missing):
        return (*groups, missing)
    return _joined_to_nearest(groups, missing)


def _joined_to_nearest(groups: Sequence[Group], missing: Group) -> tuple[Group, ...]:
    events, rows = (sum(getattr(group, name) for group in groups) for name in ("events", "rows"))
    place = nearest_to(Fraction(events, rows) if rows else Fraction(0), groups)
    return tuple(group.joined(missing) if k == place else group for k, group in enumerate(groups))


async def of_enough_institutions(
    cohort: Cohort, binned: Sequence[Binned], fine: Sequence[NDArray[np.int64]], fewest: int
) -> list[Binned]:
    """Join bins in which fewer institutions have rows than a sum is opened for, one sum for each try.

    Args:
        cohort: of the run.
        binned: features.
        fine: each row's fine bin, by feature. Private.
        fewest: institutions behind a bin.
    """
    out = list(binned)
    while True:
        own = [np.bincount(one.places(places), minlength=len(one.bins)) > 0
               for one, places in zip(out, fine, strict=True)]
        opened = (await cohort.sum({"institutions": count(np.concatenate(own), 1)}))["institutions"]
        numbers = np.split(opened, np.cumsum([len(part) for part in own])[:-1])
        narrow = [k for k, one in enumerate(out) if len(one.bins) > 1 and int(numbers[k].min()) < fewest]
        if not narrow:
            return out
        for k in narrow:
            out[k] = _widened(out[k], _enough(out[k].bins, numbers[k].tolist(), fewest))


def _enough(bins: Sequence[Group], institutions: Sequence[int], fewest: int) -> Callable[[Group], bool]:
    narrow = {group.parts for group, number in zip(bins, institutions, strict=True) if number < fewest}
    return lambda group: group.parts not in narrow


def _widened(one: Binned, allowed: Callable[[Group], bool]) -> Binned:
    last = number_of_fine(one.feature, one.edges)
    apart = [group for group in one.bins if group.parts == (last,)]
    groups = large_enough([group for group in one.bins if group.parts != (last,)], allowed)
    if apart and (len(groups) == 1 and not allowed(groups[0])):
        return Binned(one.feature, one.edges, (groups[0].joined(apart[0]),))
    if apart and not allowed(apart[0]):
        return Binned(one.feature, one.edges, _joined_to_nearest(groups, apart[0]))
    return Binned(one.feature, one.edges, (*groups, *apart))
