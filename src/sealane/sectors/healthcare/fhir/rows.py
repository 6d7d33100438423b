"""From a stream of resources to rows: one for each patient or encounter, holding no more than its columns' state."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sealane.errors import InputError
from sealane.sectors.healthcare.fhir import elements
from sealane.sectors.healthcare.fhir.elements import Unfit
from sealane.sectors.healthcare.fhir.mapping import ADDS, FhirColumn, FhirMapping
from sealane.sectors.healthcare.fhir.resources import Resource
from sealane.sectors.healthcare.fhir.values import value_of

MAXIMUM_ROWS = 20_000_000
USED, UNUSED = "used", "unused"


@dataclass(slots=True)
class _Side:
    """Rows of one kind: patients, or encounters.

    Attributes:
        rows: number of a row by id.
        own: rows whose own resource was seen.
        referring: resources that speak of a row, by row; lost if its own never comes.
        states: by column, by row.
    """

    rows: dict[str, int] = field(default_factory=dict)
    own: dict[int, str] = field(default_factory=dict)
    referring: Counter[int] = field(default_factory=Counter)
    states: dict[str, dict[int, Any]] = field(default_factory=dict)

    def row(self, key: str) -> int:
        if key not in self.rows:
            if len(self.rows) >= MAXIMUM_ROWS:
                raise InputError("fhir.too-many-rows", "the files speak of more patients or encounters than are held",
                                 expected=f"at most {MAXIMUM_ROWS}", hint="export a part of them")
            self.rows[key] = len(self.rows)
        return self.rows[key]


class Rows:
    """Collects resources under a mapping, and gives the table at the end."""

    def __init__(self, mapping: FhirMapping) -> None:
        self._mapping = mapping
        self._columns: dict[str, list[FhirColumn]] = {}
        for column in mapping.columns:
            self._columns.setdefault(column.source, []).append(column)
        self._adds = {kind for kind, columns in self._columns.items() if any(one.take in ADDS for one in columns)}
        self._seen: set[bytes] = set()
        self._patients, self._encounters = _Side(), _Side()
        self._patient_of: dict[int, int] = {}
        self._started: dict[int, float] = {}
        self._counted: Counter[str] = Counter()

    def add(self, found: Resource | str) -> None:
        """Take one resource, or the reason why there is none."""
        if isinstance(found, str):
            self._counted[found] += 1
            return
        try:
            self._counted[self._take(found)] += 1
        except Unfit as fault:
            self._counted[fault.reason] += 1

    def table(self) -> dict[str, list[Any]]:
        """Return the columns of the rows, in the order of their ids."""
        by_patient = self._mapping.rows == "patient"
        side = self._patients if by_patient else self._encounters
        order = sorted(side.own, key=lambda row: side.own[row])
        made: dict[str, list[Any]] = {}
        for column in self._mapping.columns:
            through = column.source == "Patient" and not by_patient
            states = (self._patients if through else side).states.get(column.field, {})
            at = self._patient_of if through else {row: row for row in order}
            made[column.field] = [self._finish(column, states.get(at.get(row, -1)), row) for row in order]
        return made

    def counted(self) -> dict[str, int]:
        """Return how many resources were used, unused and left out, by reason."""
        kind = self._mapping.rows
        side = self._patients if kind == "patient" else self._encounters
        orphans = sum(number for row, number in side.referring.items() if row not in side.own)
        counted = Counter(self._counted)
        if orphans:
            counted[USED] -= orphans
            counted[f"no-such-{kind}"] += orphans
        return {reason: number for reason, number in sorted(counted.items()) if number}

    def unfilled(self) -> tuple[str, ...]:
        """Return the fields for which no resource had anything: a code or a system may be another than was meant."""
        return tuple(column.field for column in self._mapping.columns
                     if not any(column.field in side.states for side in (self._patients, self._encounters)))

    def _take(self, found: Resource) -> str:
        """Take what a resource says for every column it serves: all of it or, at the first fault, nothing."""
        kind, content, as_of = found.kind, found.content, self._mapping.as_of
        served = [(column, part) for column in self._columns.get(kind, [])
                  for part in elements.coded(kind, content, column)]
        if not served and kind not in ("Patient", self._mapping.row_kind):
            return UNUSED
        elements.check_standing(content)
        ids = elements.own_id(content, found.full_url)
        side, row = self._place(found, ids)
        own = kind == self._own_kind(side)
        if row in side.own if own else kind in self._adds and self._repeated(kind, ids):
            raise Unfit("repeated")
        when = elements.dated(kind, content, as_of)
        taken = [(column, value) for column, part in served
                 if (value := value_of(kind, part, column, as_of)) is not None]
        if when is None and not own and any(column.take in ("first", "last") for column, _ in taken):
            raise Unfit("undated")
        if own:
            # In a bundle a patient may have no id but the bundle's own name for it.
            taken += [(column, ids[0]) for column, _ in served if column.path == "id" and "id" not in content]
            self._own(side, row, ids[0], content)
        elif taken:
            side.referring[row] += 1
        for column, value in taken:
            states = side.states.setdefault(column.field, {})
            states[row] = _merge(column, states.get(row), -math.inf if when is None else when, value)
        return USED if taken or own else UNUSED

    def _own(self, side: _Side, row: int, key: str, content: dict[str, Any]) -> None:
        if side is self._encounters:
            self._patient_of[row] = self._patients.row(elements.referred(content, "Patient"))
            start = elements.at(content, "period.start")
            if start is not None:
                self._started[row] = elements.day_of(start, self._mapping.as_of)
        side.own[row] = key

    def _place(self, found: Resource, ids: list[str]) -> tuple[_Side, int]:
        if found.kind == "Patient" or found.kind == self._mapping.row_kind:
            side = self._patients if found.kind == "Patient" else self._encounters
            if not ids:
                raise Unfit("no-id")
            known = next((one for one in ids if one in side.rows), ids[0])
            row = side.row(known)
            for one in ids:
                side.rows.setdefault(one, row)
            return side, row
        if self._mapping.rows == "patient":
            return self._patients, self._patients.row(elements.referred(found.content, "Patient"))
        return self._encounters, self._encounters.row(elements.referred(found.content, "Encounter"))

    def _own_kind(self, side: _Side) -> str:
        return "Patient" if side is self._patients else "Encounter"

    def _repeated(self, kind: str, ids: list[str]) -> bool:
        if not ids:
            return False
        mark = hashlib.blake2b(f"{kind}/{ids[0]}".encode(), digest_size=12).digest()
        known = mark in self._seen
        self._seen.add(mark)
        return known

    def _finish(self, column: FhirColumn, state: Any, row: int) -> Any:
        if state is None:
            return 0.0 if column.take in ("count", "any") else None
        if column.take in ("mean", "sum"):
            number, total, lost = state
            return (total + lost) / (number if column.take == "mean" else 1)
        if column.take in ("first", "last"):
            state = state[1]
        if column.read == "date":
            return _day(state).isoformat()
        if column.read == "year":
            return float(_day(state).year)
        if column.read == "age":
            return _age(_day(state), self._reference(row))
        return state

    def _reference(self, row: int) -> date | None:
        if self._mapping.rows == "patient":
            return self._mapping.as_of
        return _day(self._started[row]) if row in self._started else None


def _merge(column: FhirColumn, state: Any, when: float, value: Any) -> Any:
    match column.take:
        case "any":
            return 1.0
        case "count":
            return (state or 0.0) + 1.0
        case "sum" | "mean":
            return _add(state or (0, 0.0, 0.0), value)
        case "minimum" | "maximum":
            choose = min if column.take == "minimum" else max
            return value if state is None else choose(state, value)
        case "last":
            return (when, value) if state is None or when >= state[0] else state
        case "first":
            return (when, value) if state is None or when < state[0] else state


def _add(state: tuple[int, float, float], value: float) -> tuple[int, float, float]:
    """Add with what rounding lost carried beside. Source: Neumaier, ZAMM 54 (1974) 39-51, variant IV."""
    number, total, lost = state
    new = total + value
    lost += (total - new) + value if abs(total) >= abs(value) else (value - new) + total
    return number + 1, new, lost


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment * 86_400, UTC).date()


def _age(born: date, then: date | None) -> float | None:
    """Return whole years; None where a day is missing or comes before birth."""
    if then is None or then < born:
        return None
    return float(then.year - born.year - ((then.month, then.day) < (born.month, born.day)))


def left_out(counted: Mapping[str, int]) -> int:
    """Return how many resources were left out, whatever the reason."""
    return sum(number for reason, number in counted.items() if reason not in (USED, UNUSED))
