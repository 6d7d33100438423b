"""Weight of evidence and information value of bins.

With g and b the shares of all rows without and with the event that lie in a bin, WOE = ln(g / b) and
IV = Σ (g − b) WOE.
Sources: Good (1950), Probability and the Weighing of Evidence; Kullback (1959), Information Theory and Statistics,
chapter 1 (the divergence J); their use in cards: Siddiqi (2006), Credit Risk Scorecards, chapter 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealane.computations.base import Cohort
from sealane.computations.scorecard.coarse import Binned


@dataclass(frozen=True, slots=True)
class Evidence:
    """A feature's weights of evidence, agreed by all nodes, and what each bin adds to its information value."""

    woe: tuple[float, ...]
    parts: tuple[float, ...]

    @property
    def iv(self) -> float:
        """The information value."""
        return math.fsum(self.parts)


async def weigh(cohort: Cohort, binned: Sequence[Binned], adjustment: float) -> list[Evidence]:
    """Return each feature's evidence; ``adjustment`` rows are added to both numbers of every bin."""
    shares = [_shares(one, adjustment) for one in binned]
    # Logarithms may differ in the last bit between machines.
    logs = await cohort.agree(np.array([math.log(good / bad) for pairs in shares for good, bad in pairs]))
    out, start = [], 0
    for pairs in shares:
        woe = logs[start : start + len(pairs)].tolist()
        parts = [(good - bad) * weight for (good, bad), weight in zip(pairs, woe, strict=True)]
        out.append(Evidence(tuple(woe), tuple(parts)))
        start += len(pairs)
    return out


def _shares(one: Binned, adjustment: float) -> list[tuple[float, float]]:
    added = adjustment * len(one.bins)
    others = sum(group.others for group in one.bins) + added
    events = sum(group.events for group in one.bins) + added
    return [((group.others + adjustment) / others, (group.events + adjustment) / events) for group in one.bins]
