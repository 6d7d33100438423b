"""The first sum of a study of times: how many rows, events and leavings there are, before any is told by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, count
from sealane.computations.columns import MAXIMUM_ROWS
from sealane.computations.disclosure import check_contributors, check_rows
from sealane.computations.suppression import suppressed
from sealane.computations.survival.settling import Integers, OwnRows, tally
from sealane.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Totals:
    """Opened counts over all times.

    Attributes:
        rows: all rows.
        used: those with all times known that are at risk at some time.
        ways: rows by how they leave and group, shape ``(kinds, n_groups)``.
        behind: institutions with rows in each group, shape ``(n_groups,)``.
        basis: how many institutions contribute, as results say it; without an event too.
    """

    rows: int
    used: int
    ways: Integers
    behind: Integers
    basis: dict[str, Any]


async def count_totals(
    cohort: Cohort, own: OwnRows, missing: Mapping[str, NDArray[np.bool_]], rows: int, *, kinds: int, groups: int
) -> Totals:
    """Open the totals: one sum.

    Raises:
        RefusedError: under the minimum count of rows, or too few institutions that have any.
    """
    ways = tally(own, kinds, range(groups), int(own.placed.stop.max(initial=0)) + 1)[:-1].sum(axis=2)
    everywhere = [int(rows > 0 and bool(where.all())) for where in missing.values()]
    used = int(ways.sum())
    behind = (ways.sum(axis=0) > 0).astype(np.int64)
    flags = [int(used > 0), int(used > 0 and not ways[1:].any()), *everywhere, *behind.tolist()]
    total = await cohort.sum({"counts": count([rows, used, *ways.reshape(-1).tolist()], MAXIMUM_ROWS),
                              "institutions": count(flags, 1)})
    everyone, at_risk, *by_way = total["counts"].tolist()
    contributors, without_events, *others = total["institutions"].tolist()
    check_rows(at_risk, cohort.minimum_count)
    basis = check_contributors(contributors, cohort, dict(zip(missing, others[: len(missing)], strict=True)))
    return Totals(everyone, at_risk, np.array(by_way, dtype=np.int64).reshape(kinds, groups),
                  np.array(others[len(missing) :], dtype=np.int64), {**basis, "without_events": without_events})


def check_events(totals: Totals, minimum_count: int) -> None:
    """Refuse a cohort with no or few events.

    Raises:
        RefusedError: ``survival.no-events`` or ``survival.too-few-events``.
    """
    events = int(totals.ways[1:].sum())
    if events == 0:
        raise RefusedError("survival.no-events", "no row of the cohort ends in the event", got="0 events",
                           expected=f"at least {minimum_count}", hint="check which level of the event column is one")
    if events < minimum_count:
        raise RefusedError("survival.too-few-events", "too few rows end in the event", got=f"under {minimum_count}",
                           expected=f"at least {minimum_count}", hint="ask for more institutions or a longer period")


def hide_groups(names: Sequence[str], totals: Totals, cohort: Cohort) -> dict[str, str]:
    """Return the rule that hides each hidden group.

    Too few rows, events or leavings are in it, or too few institutions have it (unless all waived that), or it covers
    such a group, which the totals of another study would tell.

    Raises:
        RefusedError: no group is left.
    """
    ways, minimum_count = totals.ways, cohort.minimum_count
    few = (totals.behind > 0) & (totals.behind < cohort.smallest) & (not cohort.exposed)
    hidden: dict[str, str] = {name: "minimum-cohort" for name, thin in zip(names, few, strict=True) if thin}
    for numbers in (ways.sum(axis=0), *ways):
        cells = {name: int(number) for name, number in zip(names, numbers, strict=True)}
        for name in suppressed(cells, minimum_count):
            small = 0 < cells[name] < minimum_count
            hidden[name] = "minimum-count" if small else hidden.get(name, "complementary")
    shown = [name for name, number in zip(names, ways.sum(axis=0), strict=True) if number > 0 and name not in hidden]
    if len(hidden) == 1 and shown:
        hidden[shown.pop(0)] = "complementary"
    if not shown:
        raise RefusedError("survival.all-hidden", "no group may be shown",
                           got=f"groups with under {minimum_count} rows, events or leavings, or of under "
                           f"{cohort.smallest} institutions, and those that cover them",
                           expected="two or more groups above it", hint="merge groups, or set a horizon")
    return {name: hidden[name] for name in names if name in hidden}
