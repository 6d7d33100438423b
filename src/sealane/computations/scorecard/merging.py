"""How fine bins become coarse ones: pure functions of opened whole numbers, exact, so that all nodes decide alike.

Rates and chi-squares are compared as fractions; no rounding ever decides which bins are one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Group:
    """Fine bins that are one coarse bin.

    Attributes:
        parts: places of the fine bins.
        events: rows with the event.
        others: rows without.
    """

    parts: tuple[int, ...]
    events: int
    others: int

    @property
    def rows(self) -> int:
        """All rows."""
        return self.events + self.others

    @property
    def rate(self) -> Fraction:
        """Share of events; 0 where there is no row."""
        return Fraction(self.events, self.rows) if self.rows else Fraction(0)

    def joined(self, other: Group) -> Group:
        """Return both as one."""
        return Group((*self.parts, *other.parts), self.events + other.events, self.others + other.others)


Groups = list[Group]


def without_empty(groups: Sequence[Group]) -> Groups:
    """Return the groups with each empty one joined to that before it, or to the first that has rows."""
    out: Groups = []
    for group in groups:
        if out and (group.rows == 0 or out[-1].rows == 0):
            out[-1] = out[-1].joined(group)
        else:
            out.append(group)
    return out


def monotone(groups: Sequence[Group]) -> Groups:
    """Return the groups whose rates of events rise, or fall: whichever lies closer to the fine rates.

    Closer by least squares weighted by rows; rising where both are as close.
    Source: Ayer, Brunk, Ewing, Reid and Silverman (1955), Ann. Math. Stat. 26:641-647, for pooling adjacent violators.
    """
    rising = _pooled(groups, lambda one, other: one.rate >= other.rate)
    falling = _pooled(groups, lambda one, other: one.rate <= other.rate)
    return rising if _explained(rising) >= _explained(falling) else falling


def _pooled(groups: Sequence[Group], violate: Callable[[Group, Group], bool]) -> Groups:
    out: Groups = []
    for group in groups:
        out.append(group)
        while len(out) > 1 and violate(out[-2], out[-1]):
            last = out.pop()
            out[-1] = out[-1].joined(last)
    return out


def _explained(groups: Sequence[Group]) -> Fraction:
    """Return the sum of squares between groups, up to a constant: least squares is where it is largest."""
    return sum((Fraction(group.events**2, group.rows) for group in groups if group.rows), Fraction(0))


def chi_square(one: Group, other: Group) -> Fraction:
    """Return Pearson's chi-square of two groups by event; 0 where there are no events, or nothing else."""
    events, others = one.events + other.events, one.others + other.others
    below = one.rows * other.rows * events * others
    cross = one.events * other.others - other.events * one.others
    return Fraction((events + others) * cross**2, below) if below else Fraction(0)


def at_most(groups: Sequence[Group], most: int, threshold: float | None = None) -> Groups:
    """Join the neighbours that differ least by chi-square while there are too many groups, or they hardly differ.

    Args:
        groups: in order.
        most: of them.
        threshold: chi-square under which neighbours are one; None joins only what is too many.

    Source: Kerber (1992), ChiMerge: discretization of numeric attributes, AAAI-92, 123-128.
    """
    out = list(groups)
    differences = [chi_square(a, b) for a, b in pairwise(out)]
    while differences:
        place = differences.index(min(differences))
        if len(out) <= most and (threshold is None or differences[place] >= threshold):
            break
        out[place : place + 2] = [out[place].joined(out[place + 1])]
        del differences[place]
        for changed in (place - 1, place):
            if 0 <= changed < len(differences):
                differences[changed] = chi_square(out[changed], out[changed + 1])
    return out


def large_enough(groups: Sequence[Group], allowed: Callable[[Group], bool]) -> Groups:
    """Join each group that is not allowed, the first first, to the neighbour whose rate is nearer; one may be left."""
    out = list(groups)
    while len(out) > 1:
        place = next((k for k, group in enumerate(out) if not allowed(group)), None)
        if place is None:
            break
        sides = [k for k in (place - 1, place + 1) if 0 <= k < len(out)]
        nearest = min(sides, key=lambda k: abs(out[k].rate - out[place].rate))
        first = min(nearest, place)
        out[first : first + 2] = [out[first].joined(out[first + 1])]
    return out


def nearest_to(rate: Fraction, groups: Sequence[Group]) -> int:
    """Return the place of the group whose rate of events is nearest to one."""
    return min(range(len(groups)), key=lambda k: abs(groups[k].rate - rate))
