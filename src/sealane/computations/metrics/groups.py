"""How a score treats groups: what is selected, found and falsely found in each, and which groups stay hidden.

A group is counted by the scores between thresholds and by outcome. If any of these numbers is small, the group is
hidden whole; and as many others as it takes that no small number follows from those over all rows.
Sources: Hardt, Price and Srebro (2016), Equality of opportunity in supervised learning, NeurIPS; Feldman et al. (2015),
Certifying and removing disparate impact, KDD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.disclosure import Rule
from sealane.computations.suppression import BESIDE, SMALL, line

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Opened counts by group (rows of none last), segment of scores and outcome, and institutions that have rows."""

    levels: tuple[str, ...]
    counts: Counts
    institutions: list[int]


async def count_groups(
    cohort: Cohort, levels: tuple[str, ...], groups: Counts, segments: Counts, y: NDArray[np.float64],
    number: int, rows: int,
) -> Groups:
    """Count own rows with the cohort's: one sum.

    Args:
        cohort: of the run.
        levels: of the groups.
        groups: each row's group, one beyond the last where there is none. Private.
        segments: each row's place between thresholds, riskiest first. Private.
        y: outcomes. Private.
        number: of segments.
        rows: over the cohort.
    """
    shape = len(levels) + 1, number, 2
    flat = np.ravel_multi_index((groups, segments, (y > 0).astype(np.int64)), shape)
    own = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    opened = await cohort.sum({"groups": count(own, rows),
                               "institutions": count((own.sum(axis=(1, 2)) > 0).astype(np.int64), 1)})
    return Groups(levels, opened["groups"], opened["institutions"].tolist())


def hidden_groups(found: Groups, minimum: int, fewest: int) -> list[Rule | None]:
    """Return the rule that hides each group, rows of none last; those without rows are shown as such."""
    cells = found.counts.reshape(len(found.counts), -1)
    rules: list[Rule | None] = [None] * len(cells)
    for column in cells.T.tolist():
        for k, rule in enumerate(line(column, minimum)):
            rules[k] = SMALL if SMALL in (rule, rules[k]) else rule or rules[k]
    for k, number in enumerate(found.institutions):
        if rules[k] is None and 0 < number < fewest:
            rules[k] = "minimum-cohort"
    if sum(rule is not None for rule in rules) == 1:  # it would follow from the rest
        beside = next((k for k, rule in enumerate(rules) if rule is None and cells[k].sum() > 0), None)
        if beside is not None:
            rules[beside] = BESIDE
    return rules


def released(found: Groups, rules: list[Rule | None], thresholds: list[float]) -> list[dict[str, Any]]:
    """Return what is shown of each group at each threshold."""
    out = list[dict[str, Any]]()
    for k, level in enumerate(found.levels):
        others, events = found.counts[k].sum(axis=0).tolist()
        if rules[k] is not None or others + events == 0:
            out.append({"group": level, "rows": None if rules[k] else 0, "rule": rules[k], "at": []})
            continue
        at = list[dict[str, Any]]()
        for place, threshold in enumerate(thresholds, start=1):
            false, true = found.counts[k, :place].sum(axis=0).tolist()
            at.append({"threshold": threshold, "tp": true, "fp": false, "fn": events - true, "tn": others - false})
        out.append({"group": level, "rows": others + events, "rule": None, "at": at})
    return out
