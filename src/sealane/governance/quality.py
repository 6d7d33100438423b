"""A dataset's profile with small cells hidden, and its quality: five dimensions, a score and a floor.

Everything here follows from the suppressed profile alone, so what is shown or stored gives no small cell away. Each
field splits the rows into cells (missing, invalid, and its values in public bins). A cell under the minimum count is
hidden, and with it as many cells of values as it takes that at least two are hidden and together hold the minimum
count. What is shown is rounded to a multiple of the minimum count, missing and invalid rows upwards: otherwise whoever
knows how the others were chosen could sometimes tell a hidden cell from those that are shown. A hidden number of
missing or invalid rows stands for the minimum count in rates. All this errs against quality.

Source of the dimensions: ISO/IEC 25012 (completeness, consistency, currentness) and DAMA (validity, uniqueness).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.errors import RefusedError

MINIMUM_COUNT = 10
"""Fewest rows behind a cell of a profile. It is one for all: two profiles under two minima could be subtracted."""
MISSING = "(missing)"
INVALID = "(invalid)"
MAXIMUM_BYTES = 1 << 24

Cells = Mapping[str, int | None]
"""Rows by cell; None where hidden."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted over the rows, before anything is hidden. It is never stored or shown.

    Attributes:
        rows: all of them.
        fields: rows by cell for each field that the source fills; every field's cells sum to ``rows``.
        repeated: rows whose key, or whole, was there before.
        broken: rows that break a cross-field rule, by its name.
        stale: rows that are older than the contract's freshness; None where it names none.
        found: rows of a field whose content looks like an identity number and so on, by kind.
    """

    rows: int
    fields: Mapping[str, Mapping[str, int]]
    repeated: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    stale: int | None = None
    found: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts with small cells hidden: the only form that is stored, shown and used further.

    Attributes:
        rows: all of them, rounded; None if under twice the minimum count, and then all is hidden.
        minimum_count: under which a cell is hidden.
        fields: rows by cell for each field, rounded.
        repeated: as in :class:`Counts`, rounded up; None where everything is hidden.
        broken: likewise.
        stale: likewise; None also where the contract names no freshness.
        found: likewise.
    """

    rows: int | None
    minimum_count: int
    fields: Mapping[str, Cells]
    repeated: int | None = 0
    broken: Cells = field(default_factory=dict)
    stale: int | None = None
    found: Mapping[str, Cells] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the canonical form."""
        return canonical_bytes(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "rows": self.rows, "minimum_count": self.minimum_count, "repeated": self.repeated,
            "stale": self.stale, "broken": dict(self.broken),
            "fields": {name: dict(cells) for name, cells in self.fields.items()},
            "found": {name: dict(cells) for name, cells in self.found.items()},
        }


def read_profile(data: bytes) -> Profile:
    """Read a stored profile.

    Raises:
        InputError: not canonical.
    """
    return Profile(**parse_canonical(data, limit=MAXIMUM_BYTES))


@dataclass(frozen=True, slots=True)
class Quality:
    """Dimensions of quality, each from 0 to 1; None where the contract asks for none or too few rows are there.

    Attributes:
        completeness: mean share of rows in which a field has a value.
        validity: mean share of rows in which a field keeps the contract's type, range and levels.
        uniqueness: share of rows whose key is not there twice.
        consistency: mean share of rows that keep the contract's cross-field rules.
        timeliness: share of rows no older than the contract's freshness.
    """

    completeness: float | None
    validity: float | None
    uniqueness: float | None
    consistency: float | None
    timeliness: float | None

    @property
    def score(self) -> float | None:
        """Return the mean of the dimensions that apply."""
        parts = [part for part in self.to_dict().values() if part is not None]
        return sum(parts) / len(parts) if parts else None

    def to_dict(self) -> dict[str, float | None]:
        """Return the dimensions by name."""
        return {"completeness": self.completeness, "validity": self.validity, "uniqueness": self.uniqueness,
                "consistency": self.consistency, "timeliness": self.timeliness}


def suppress(counts: Counts, minimum_count: int = MINIMUM_COUNT) -> Profile:
    """Hide what rests on too few rows."""
    rows, least = counts.rows, minimum_count

    def blunt(numbers: Mapping[str, int]) -> dict[str, int | None]:
        return {name: round_up(number, rows, least) for name, number in numbers.items()}

    if rows < 2 * least:
        return Profile(None, least, {name: dict.fromkeys(cells) for name, cells in counts.fields.items()}, None,
                       dict.fromkeys(counts.broken), None,
                       {name: dict.fromkeys(kinds) for name, kinds in counts.found.items()})
    return Profile(
        nearest(rows, least), least, {name: hide(cells, least) for name, cells in counts.fields.items()},
        round_up(counts.repeated, rows, least), blunt(counts.broken),
        None if counts.stale is None else round_up(counts.stale, rows, least),
        {name: blunt(kinds) for name, kinds in counts.found.items()},
    )


def nearest(number: int, minimum_count: int) -> int:
    """Return the nearest multiple of the minimum count; what is no smaller than that never becomes zero."""
    return (2 * number + minimum_count) // (2 * minimum_count) * minimum_count


def round_up(number: int, rows: int, minimum_count: int) -> int:
    """Return a number of rows rounded up to a multiple of the minimum count, and to all where few would be left."""
    rounded = -(-number // minimum_count) * minimum_count
    return max(rounded, nearest(rows, minimum_count)) if rows - rounded < minimum_count else rounded


def hide(cells: Mapping[str, int], minimum_count: int) -> dict[str, int | None]:
    """Return one partition of the rows, rounded, with its small cells hidden and what would give them away.

    Cells of values go with the small ones, in their public order from the first small one on: chosen by size, they
    would tell something of the sizes. Where only missing or invalid rows are left to go with them, small cells are
    counted with those instead, so that many missing rows are never hidden from the score.
    """
    hidden = {name for name, number in cells.items() if 0 < number < minimum_count}
    order = [name for name in cells if name not in (MISSING, INVALID)]
    first = next((place for place, name in enumerate(order) if name in hidden), 0)
    for name in [*order[first:], *order[:first], *(name for name in (MISSING, INVALID) if name in cells)]:
        together = sum(cells[one] for one in hidden)
        if not hidden or (len(hidden) > 1 and together >= minimum_count):
            break
        if cells[name] < minimum_count:
            continue
        if name in (MISSING, INVALID):
            counted = {one: 0 if one in hidden else number + (together if one == name else 0)
                       for one, number in cells.items()}
            return {one: _rounded(one, number, minimum_count) for one, number in counted.items()}
        hidden.add(name)
    return {name: None if name in hidden else _rounded(name, number, minimum_count) for name, number in cells.items()}


def _rounded(cell: str, number: int, minimum_count: int) -> int:
    up = cell in (MISSING, INVALID)
    return -(-number // minimum_count) * minimum_count if up else nearest(number, minimum_count)


def quality(profile: Profile) -> Quality:
    """Return the quality that a suppressed profile shows."""
    rows = profile.rows
    if rows is None:
        return Quality(None, None, None, None, None)

    def kept(number: int | None) -> float:
        return max(0.0, 1.0 - (profile.minimum_count if number is None else number) / rows)

    def mean(parts: list[float]) -> float | None:
        return sum(parts) / len(parts) if parts else None

    return Quality(
        completeness=mean([kept(cells.get(MISSING, 0)) for cells in profile.fields.values()]),
        validity=mean([kept(cells.get(INVALID, 0)) for cells in profile.fields.values()]),
        uniqueness=kept(profile.repeated),
        consistency=mean([kept(number) for number in profile.broken.values()]),
        timeliness=None if profile.stale is None else kept(profile.stale),
    )


def check_quality(name: str, profile: Profile, floor: float | None) -> None:
    """Decide whether a dataset is good enough for a study.

    Raises:
        RefusedError: its score lies under the floor, or it has none.
    """
    if floor is None:
        return
    score = quality(profile).score
    if score is None or score < floor:
        raise RefusedError("dataset.quality-too-low", f"dataset {name} lies under the study's quality floor",
                           got="no score: too few rows" if score is None else f"{score:.4f}",
                           expected=f"at least {floor:g}",
                           hint=f"`sealane dataset profile {name}` shows what is lacking; a repair may mend it")
