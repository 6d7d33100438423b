"""The value that a part of a resource has for a column: a number in the column's unit, a code, a day, or days."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date
from typing import Any

from sealane.sectors.healthcare.fhir.elements import Unfit, at, codes_at, day_of, moment_of
from sealane.sectors.healthcare.fhir.mapping import CODED_AT, FhirColumn

UCUM = "http://unitsofmeasure.org"
PLAIN_UNITS = frozenset((
    "mg/dL", "g/dL", "g/L", "ug/L", "ug/dL", "ng/mL", "pg/mL", "mmol/L", "umol/L", "nmol/L", "pmol/L", "U/L", "meq/L",
    "mg/g", "mg/mmol", "mmol/mol", "%", "kPa", "mm[Hg]", "kg", "g", "[lb_av]", "cm", "m", "[in_i]", "mm", "kg/m2",
    "Cel", "[degF]", "mL/min",
))
"""UCUM codes that are also written for people: where code and text are two different ones of them, one is wrong."""


def value_of(kind: str, part: dict[str, Any], column: FhirColumn, as_of: date) -> Any:
    """Return the value that a part has for a column; None where it has none.

    Raises:
        Unfit: it is of another type or unit, or a date that cannot be.
    """
    if column.take in ("count", "any") and column.path is None:
        return 1.0
    if column.read == "code":
        place = column.path or column.code_path or CODED_AT.get(kind, "code")
        found_codes = codes_at(part, place, column.system)
        return grouped(found_codes, column) if column.groups else next(found_codes, None)
    found = _observed(part) if column.path is None else at(part, column.path)
    if found is None:
        return None
    if column.read == "days":
        return _days(found, as_of)
    if column.read in ("date", "year", "age"):
        return day_of(found, as_of)
    if column.take in ("count", "any"):
        return None if found is False else 1.0
    if isinstance(found, dict):
        return _quantity(found, column)
    if not isinstance(found, str | int | float):
        raise Unfit("wrong-type")
    if column.unit not in (None, "1"):
        raise Unfit("no-unit")
    if column.take in ("minimum", "maximum", "mean", "sum"):
        return _number(found)
    return found


def grouped(codes: Iterable[str], column: FhirColumn) -> str | None:
    """Return the level whose begin fits a code best; ``other`` where none does, None where there is no code."""
    longest, level, some = 0, column.other, False
    for code in codes:
        some = True
        for name, begins in column.groups.items():
            fit = max((len(begin) for begin in begins if code.startswith(begin)), default=0)
            if fit > longest:
                longest, level = fit, name
    return level if some else None


def _observed(part: dict[str, Any]) -> Any:
    for name in ("valueQuantity", "valueInteger", "valueBoolean", "valueString", "valueCodeableConcept"):
        if name in part:
            return part[name]
    return None


def _quantity(found: dict[str, Any], column: FhirColumn) -> Any:
    if "value" not in found:
        code = next((one for one in codes_at({"x": found}, "x", None)), None)
        if code is None:
            raise Unfit("wrong-type")
        return code
    if found.get("comparator") is not None:
        raise Unfit("not-exact")  # "< 5" is no number
    number = _number(found["value"])
    unit = found.get("code") if found.get("system") in (UCUM, None) and "code" in found else found.get("unit")
    if column.unit in (None, "1") and unit in (None, "1"):
        return number
    if not isinstance(unit, str):
        raise Unfit("no-unit")
    written = found.get("unit")
    if isinstance(written, str) and written != unit and {written, unit} <= PLAIN_UNITS:
        raise Unfit("contradictory-unit")
    if unit == column.unit:
        return number
    if unit in column.convert:
        return number * column.convert[unit]
    raise Unfit("other-unit")


def _number(found: Any) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Unfit("wrong-type")
    try:
        number = float(found)
    except OverflowError:
        raise Unfit("wrong-type") from None
    if not math.isfinite(number):
        raise Unfit("wrong-type")
    return number


def _days(found: Any, as_of: date) -> float | None:
    if not isinstance(found, dict):
        raise Unfit("wrong-type")
    if found.get("start") is None or found.get("end") is None:
        return None
    days = moment_of(found["end"], as_of) - moment_of(found["start"], as_of)
    if days < 0:
        raise Unfit("ends-before-start")
    return days
