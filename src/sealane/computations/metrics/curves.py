"""What a histogram of scores by outcome tells: pure functions of opened whole numbers.

Scores within a bin count as tied. With e and n the events and non-events of a bin, E and N their sums, the exact area
under the curve lies within Σ e n / (2 E N) of the one that counts ties as half; the exact Kolmogorov-Smirnov distance
is not under the binned one, and not over what a bin's rows can add if all its events, or all others, come first.

What is released stands at cuts between which no events or at least the minimum count of them lies, likewise of others,
and at least the minimum count of rows: nothing smaller follows from any two of them.
Source: Bamber (1975), J. Math. Psychol. 12:387-415 (the area as a probability, ties as half).
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class Ranked:
    """A histogram, riskiest bin first.

    Attributes:
        edges: where each bin ends and the next begins, one fewer than bins.
        events: rows with the event by bin.
        others: rows without.
    """

    edges: tuple[float, ...]
    events: tuple[int, ...]
    others: tuple[int, ...]

    @property
    def totals(self) -> tuple[int, int]:
        """Return all events, and all others."""
        return sum(self.events), sum(self.others)

    def area(self) -> tuple[float, float]:
        """Return the area under the curve, and how far the exact one can be from it."""
        total, rest = self.totals
        twice, tied, below = 0, 0, rest
        for event, other in zip(self.events, self.others, strict=True):
            below -= other
            twice += event * (2 * below + other)
            tied += event * other
        return twice / (2 * total * rest), tied / (2 * total * rest)

    def standard_error(self) -> float:
        """Return that of the area, scores within a bin tied; 0 where there is a single event or a single other.

        Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837-845, equations 5 to 7.
        """
        total, rest = self.totals
        if min(total, rest) < 2:
            return 0.0
        area = self.area()[0]
        above, below, over_events, over_others = 0, rest, list[float](), list[float]()
        for event, other in zip(self.events, self.others, strict=True):
            below -= other
            over_events.append(event * ((2 * below + other) / (2 * rest) - area) ** 2)
            over_others.append(other * ((2 * above + event) / (2 * total) - area) ** 2)
            above += event
        return math.sqrt(math.fsum(over_events) / ((total - 1) * total) + math.fsum(over_others) / ((rest - 1) * rest))

    def widest(self) -> int:
        """Return the cut, a number of bins, at which the shares of events and others lie furthest apart."""
        total, rest = self.totals
        apart = [abs(e * rest - n * total) for e, n in zip(accumulate(self.events), accumulate(self.others),
                                                           strict=True)]
        return apart.index(max(apart)) + 1

    def most_apart(self) -> float:
        """Return what the exact distance cannot exceed."""
        total, rest = self.totals
        most, e, n = 0, 0, 0
        for event, other in zip(self.events, self.others, strict=True):
            most = max(most, abs((e + event) * rest - n * total), abs(e * rest - (n + other) * total))
            e, n = e + event, n + other
        return most / (total * rest)


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where a histogram may be cut, as numbers of bins before the cut; and cumulated events and others there."""

    places: list[int]
    events: list[int]
    others: list[int]

    def distance(self) -> tuple[float, int]:
        """Return the largest distance of shares at a cut, and its place in the list."""
        total, rest = self.events[-1], self.others[-1]
        apart = [abs(e * rest - n * total) for e, n in zip(self.events, self.others, strict=True)]
        at = apart.index(max(apart))
        return apart[at] / (total * rest), at


def cut(ranked: Ranked, wanted: Sequence[int], minimum: int) -> Cuts:
    """Return the cuts: the wanted ones first, in their order, as far as they may be made; then as many as may be.

    Args:
        ranked: the histogram.
        wanted: numbers of bins before a cut.
        minimum: fewest rows between two cuts, and fewest events and others where there are any.
    """
    events, others = [0, *accumulate(ranked.events)], [0, *accumulate(ranked.others)]
    last = len(ranked.events)

    def enough(a: int, b: int) -> bool:
        event, other = events[b] - events[a], others[b] - others[a]
        return event + other >= minimum and all(number == 0 or number >= minimum for number in (event, other))

    made = [0, last]
    for place in wanted:
        low, high = max(p for p in made if p <= place), min(p for p in made if p >= place)
        if low < place < high and enough(low, place) and enough(place, high):
            insort(made, place)
    for low, high in pairwise(list(made)):
        for place in range(low + 1, high):
            if enough(low, place) and enough(place, high):
                insort(made, place)
                low = place
    return Cuts(made, [events[p] for p in made], [others[p] for p in made])


def cut_at(ranked: Ranked, cuts: Cuts, place: int) -> int | None:
    """Return the place in the list of the cut there, or of one from which no row parts it; None where there is none."""
    events, others = sum(ranked.events[:place]), sum(ranked.others[:place])
    same = (k for k, pair in enumerate(zip(cuts.events, cuts.others, strict=True)) if pair == (events, others))
    return next(same, None)


def bands(cuts: Cuts, number: int) -> list[int]:
    """Return places in the list of cuts that part the rows most evenly, both ends with them."""
    rows = [e + n for e, n in zip(cuts.events, cuts.others, strict=True)]
    nearest = {min(range(len(rows)), key=lambda k: abs(rows[k] * number - rows[-1] * part))
               for part in range(number + 1)}
    return sorted(nearest | {0, len(rows) - 1})
