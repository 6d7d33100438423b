"""What a histogram of scores by outcome tells: pure functions of opened whole numbers.

Scores within a bin count as tied. With e and n the events and non-events of a bin, E and N their sums, the exact area
under the curve lies within Σ e n / (2 E N) of the one that counts ties as half; the exact Kolmogorov-Smirnov distance
is not under the binned one, and not over what a bin's rows can add if all its events, or all others, come first.

What is released follows from rows at atoms' ends and from events and others at cuts. An atom is a run of bins that
holds the minimum count of rows; where it ends depends on rows alone. Between two cuts, which lie at ends of atoms, are
no events or at least the minimum count of them, likewise others: nothing smaller follows from any two of them. Nor from
where they lie: a cut at the very bin in which enough events were met would say that this bin's row is one. Areas and
distances are those of what lies between cuts, never of the bins: with a model of the analyst's making a bin is one
person.
Source: Bamber (1975), J. Math. Psychol. 12:387-415 (the area as a probability, ties as half).
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

VAGUE = 0.4
"""An area that can be off by more says nothing, and is not told."""


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
    """Where a histogram may be cut, as numbers of bins before the cut; and cumulated events and others there.

    Attributes:
        places: of the cuts, both ends with them.
        edges: scores at all but the two ends.
        events: in the bins before each.
        others: in the bins before each.
        atoms: places where atoms end, the cuts among them.
        rows: in the bins before the end of each atom.
        full: for each atom the number of its bin that holds the minimum count of rows by itself, None where none does;
            two never do.
    """

    places: list[int]
    edges: list[float]
    events: list[int]
    others: list[int]
    atoms: list[int]
    rows: list[int]
    full: list[int | None]

    @property
    def between(self) -> Ranked:
        """What lies between the cuts, as a histogram."""
        return Ranked(tuple(self.edges), tuple(b - a for a, b in pairwise(self.events)),
                      tuple(b - a for a, b in pairwise(self.others)))

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
    rows = [e + n for e, n in zip(events, others, strict=True)]
    last = len(ranked.events)

    def many(a: int, b: int) -> bool:
        return rows[b] - rows[a] >= minimum

    def enough(a: int, b: int) -> bool:
        return many(a, b) and all(number == 0 or number >= minimum
                                  for number in (events[b] - events[a], others[b] - others[a]))

    made = [0, last]
    for place in wanted:
        low, high = max(p for p in made if p <= place), min(p for p in made if p >= place)
        if low < place < high and enough(low, place) and enough(place, high):
            insort(made, place)
    atoms = _parted(made, range(1, last), many)
    made = _parted(made, atoms, enough)
    return Cuts(made, [ranked.edges[p - 1] for p in made[1:-1]], [events[p] for p in made], [others[p] for p in made],
                atoms, [rows[p] for p in atoms],
                [next((k for k in range(a, b) if many(k, k + 1)), None) for a, b in pairwise(atoms)])


def _parted(made: list[int], places: Sequence[int], fit: Callable[[int, int], bool]) -> list[int]:
    """Return the places made, and between them as many of others as both sides fit, from the first on."""
    out = list(made)
    for low, high in pairwise(made):
        for place in places[bisect_right(places, low) : bisect_left(places, high)]:
            if fit(low, place) and fit(place, high):
                insort(out, place)
                low = place
    return out


def bands(cuts: Cuts, number: int) -> list[int]:
    """Return places in the list of cuts that part the rows most evenly, both ends with them."""
    rows = [e + n for e, n in zip(cuts.events, cuts.others, strict=True)]
    nearest = {min(range(len(rows)), key=lambda k: abs(rows[k] * number - rows[-1] * part))
               for part in range(number + 1)}
    return sorted(nearest | {0, len(rows) - 1})
