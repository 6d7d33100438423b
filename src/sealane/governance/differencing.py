"""Whose contribution would follow from the sums already opened: the guard over sets of cohorts.

A sum over a cohort is its indicator vector times the institutions' contributions. Somebody who holds several sums of
the same contributions can form every rational combination of them, so an institution is exposed exactly when its unit
vector lies in the rational span of the indicator vectors. Four cohorts of three among four institutions already solve
for every member, though no two of them differ in one institution only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb

from sealane.errors import RefusedError

MAXIMUM_INSTITUTIONS = 64
MAXIMUM_COALITIONS = 2000


def exposed(cohorts: Iterable[AbstractSet[str]]) -> frozenset[str]:
    """Return the institutions whose own contribution follows from the sums over ``cohorts``.

    Raises:
        RefusedError: more than 64 institutions.
    """
    distinct = sorted({frozenset(cohort) for cohort in cohorts}, key=sorted)
    names = sorted(frozenset().union(*distinct))
    if len(names) > MAXIMUM_INSTITUTIONS:
        raise RefusedError("cohort.too-many", "too many institutions for the differencing guard", got=len(names),
                           expected=f"at most {MAXIMUM_INSTITUTIONS}")
    # Reduced row echelon form is unique, so a unit vector in the span is itself one of the rows.
    basis: list[list[Fraction]] = []
    for cohort in distinct:
        _reduce_into(basis, [Fraction(name in cohort) for name in names])
    return frozenset(names[_pivot(row)] for row in basis if sum(1 for entry in row if entry) == 1)


def exposed_to(cohorts: Iterable[AbstractSet[str]], colluding: int) -> frozenset[str]:
    """Return the institutions exposed to some ``colluding`` others who add what they know of their own rows.

    Where the coalitions are too many to try, every institution counts as exposed: the answer errs to refusal.
    """
    sums = [frozenset(cohort) for cohort in cohorts]
    names = sorted(frozenset().union(*sums))
    colluding = min(colluding, max(len(names) - 1, 0))
    if comb(len(names), colluding) > MAXIMUM_COALITIONS:
        return frozenset(names)
    found: set[str] = set()
    for coalition in combinations(names, colluding):
        found |= exposed([*sums, *(frozenset((name,)) for name in coalition)]) - set(coalition)
    return frozenset(found)


def check_cohort(previous: Collection[AbstractSet[str]], proposed: AbstractSet[str], waived: AbstractSet[str], *,
                 colluding: int = 1) -> None:
    """Refuse a cohort whose sum, next to the earlier ones, would let a contribution be computed.

    Args:
        previous: cohorts that this dataset version and computation was answered for.
        proposed: the cohort to be answered next; institutions by fingerprint.
        waived: institutions that have waived this guard, by name, in what they signed.
        colluding: how many institutions may pool what they know; at least 1 is assumed, since each member of a
            cohort of two learns the other's contribution by subtraction.

    Raises:
        RefusedError: ``cohort.differencing``; somebody exposed has not waived.
    """
    cohorts = {frozenset(cohort) for cohort in previous} | {frozenset(proposed)}
    if len(cohorts) == 1 and len(proposed) >= max(colluding, 1) + 2:
        return  # one sum alone exposes nobody while two of its members stay silent
    everyone = frozenset().union(*cohorts)
    partial = everyone - frozenset(everyone.intersection(*cohorts))
    at_risk = partial | exposed_to(cohorts, max(colluding, 1))
    unwaived = sorted(at_risk - waived)
    if not unwaived:
        return
    if len(cohorts) == 1:
        raise RefusedError("cohort.differencing", "each of so small a cohort learns the others' contribution",
                           got=f"{len(proposed)} institutions, not waived by {', '.join(unwaived)}",
                           expected="a larger cohort, or a waiver by each of its members",
                           hint="approve with --waive-differencing if that is acceptable to your institution")
    raise RefusedError("cohort.differencing", "this dataset version was answered for another cohort already",
                       got=f"{len(cohorts)} different cohorts, not waived by {', '.join(unwaived)}",
                       expected="the same cohort as before, or a waiver by every institution at risk",
                       hint="run with the whole of the earlier cohort; the difference of two sums is somebody's data")


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that all filters together cannot tell apart, over the cohort.

    Attributes:
        rows: how many there are.
        institutions: how many institutions hold some of them.
    """

    rows: int
    institutions: int


def check_rows(previous: Collection[str], proposed: str, groups: Collection[Group] | None = None, *,
               minimum_count: int, colluding: int) -> None:
    """Refuse a filter of rows that, next to earlier ones, would let a few rows or a few institutions be isolated.

    Sums over two different filters give, by subtraction, the sum over the rows that only one of them takes.

    Args:
        previous: filters that this dataset version was answered for, as text; ``all`` is one of them.
        proposed: the filter to be answered next.
        groups: the smallest groups of rows that all of these tell apart, by a secure count; None if nobody counted.
        minimum_count: fewest rows behind anything released.
        colluding: how many institutions may pool what they know.

    Raises:
        RefusedError: ``rows.differencing``.
    """
    if all(earlier == proposed for earlier in previous):
        return
    small = None if groups is None else sum(
        0 < group.rows < minimum_count or (group.rows > 0 and group.institutions < colluding + 2) for group in groups)
    if small == 0:
        return
    raise RefusedError("rows.differencing", "this dataset version was answered for other rows already",
                       got="rows that nobody counted" if small is None else f"{small} groups too small",
                       expected=f"groups of {minimum_count} rows and {colluding + 2} institutions, or none between "
                                "the filters", hint="ask for the same rows as before")


def _pivot(row: list[Fraction]) -> int:
    return next(index for index, entry in enumerate(row) if entry)


def _reduce_into(basis: list[list[Fraction]], row: list[Fraction]) -> None:
    """Add ``row`` to a basis in reduced row echelon form, unless it lies in its span."""
    for known in basis:
        factor = row[_pivot(known)]
        if factor:
            row = [entry - factor * other for entry, other in zip(row, known, strict=True)]
    if not any(row):
        return
    pivot = _pivot(row)
    row = [entry / row[pivot] for entry in row]
    for index, known in enumerate(basis):
        factor = known[pivot]
        if factor:
            basis[index] = [entry - factor * other for entry, other in zip(known, row, strict=True)]
    basis.append(row)
