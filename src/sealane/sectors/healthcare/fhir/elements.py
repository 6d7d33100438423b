"""What one resource says: its subject, its date, whether it counts, its codes and its value; or why it is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sealane.sectors.healthcare.fhir.mapping import CODED_AT, FhirColumn

UCUM = "http://unitsofmeasure.org"
PLAIN_UNITS = frozenset((
    "mg/dL", "g/dL", "g/L", "ug/L", "ug/dL", "ng/mL", "pg/mL", "mmol/L", "umol/L", "nmol/L", "pmol/L", "U/L", "meq/L",
    "mg/g", "mg/mmol", "mmol/mol", "%", "kPa", "mm[Hg]", "kg", "g", "[lb_av]", "cm", "m", "[in_i]", "mm", "kg/m2",
    "Cel", "[degF]", "mL/min",
))
"""UCUM codes that are also written for people: where code and text are two different ones of them, one is wrong."""
RETRACTED = frozenset(("entered-in-error", "cancelled", "not-done", "refuted"))
DATED_AT: dict[str, tuple[str, ...]] = {
    "Encounter": ("period.start",),
    "Observation": ("effectiveDateTime", "effectivePeriod.start", "effectiveInstant", "issued"),
    "Condition": ("onsetDateTime", "onsetPeriod.start", "recordedDate"),
    "Procedure": ("performedDateTime", "performedPeriod.start"),
    "MedicationRequest": ("authoredOn",),
    "MedicationAdministration": ("effectiveDateTime", "effectivePeriod.start"),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod.start", "dateAsserted"),
    "Immunization": ("occurrenceDateTime",),
    "AllergyIntolerance": ("onsetDateTime", "recordedDate"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod.start", "issued"),
}
_MOMENT = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?)?)?")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_REFERENCE = re.compile(r"(?:.{0,500}/)?(?P<kind>Patient|Encounter)/(?P<id>[A-Za-z0-9.-]{1,64})(?:/_history/.{1,64})?")
_URN = re.compile(r"urn:uuid:(?P<id>[A-Za-z0-9.-]{1,64})")


class Unfit(Exception):
    """A resource, or an element of it, that is left out; its only argument is the reason."""

    @property
    def reason(self) -> str:
        """Return why."""
        return str(self.args[0])


def walk(value: dict[str, Any], path: str) -> list[Any]:
    """Return what lies at a dotted path; lists on the way are gone through."""
    level: list[Any] = [value]
    for name in _names(path):
        level = [inner for one in level if isinstance(one, dict) and name in one
                 for inner in (one[name] if isinstance(one[name], list) else (one[name],))]
    return level


def at(value: dict[str, Any], path: str) -> Any:
    """Return the first value at a dotted path; None where there is none."""
    found = walk(value, path)
    return found[0] if found else None


@lru_cache(maxsize=1024)
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def own_id(content: dict[str, Any], full_url: str) -> list[str]:
    """Return the ids that others may refer to a resource by; none where it has none."""
    urn = _URN.fullmatch(full_url)
    own = content.get("id")
    return [*([own] if isinstance(own, str) and _ID.fullmatch(own) else []), *([urn["id"]] if urn else [])]


def referred(content: dict[str, Any], kind: str) -> str:
    """Return the id of the patient or encounter that a resource is about.

    Raises:
        Unfit: ``no-subject``.
    """
    for name in ("subject", "patient") if kind == "Patient" else ("encounter", "context"):
        reference = at(content, f"{name}.reference")
        if isinstance(reference, str):
            match = _REFERENCE.fullmatch(reference)
            urn = _URN.fullmatch(reference)
            if urn or (match and match["kind"] == kind):
                return urn["id"] if urn else match["id"] if match else ""
    raise Unfit("no-subject" if kind == "Patient" else "no-encounter")


def check_standing(content: dict[str, Any]) -> None:
    """Refuse what was retracted: entered in error, cancelled, not done, refuted.

    Raises:
        Unfit: ``retracted``.
    """
    said = [content.get("status"), *walk(content, "verificationStatus.coding.code")]
    if any(isinstance(one, str) and one in RETRACTED for one in said):
        raise Unfit("retracted")


def moment_of(text: Any, as_of: date) -> float:
    """Return a FHIR date or dateTime in days since 1970, UTC; a partial date stands for its first day.

    Raises:
        Unfit: ``malformed-date``, or ``future-date`` after a day.
    """
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise Unfit("malformed-date")
    if text[:10] > as_of.isoformat()[:len(text[:10])]:
        raise Unfit("future-date")
    try:
        if len(text) > 10:
            found = datetime.fromisoformat(text)
            stamp = found.replace(tzinfo=found.tzinfo or UTC).timestamp()
        else:
            day = date.fromisoformat(text + "-01-01"[len(text) - 4:] if len(text) < 10 else text)
            stamp = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        raise Unfit("malformed-date") from None
    return stamp / 86_400


def day_of(text: Any, as_of: date) -> float:
    """Return the day of a FHIR date or dateTime, as its place counts days, in days since 1970.

    Raises:
        Unfit: as :func:`moment_of`.
    """
    moment_of(text, as_of)
    return moment_of(text[:10], as_of)


def dated(kind: str, content: dict[str, Any], as_of: date) -> float | None:
    """Return when a resource happened, in days since 1970; None where it does not say.

    Raises:
        Unfit: as :func:`moment_of`.
    """
    for path in DATED_AT.get(kind, ()):
        found = at(content, path)
        if found is not None:
            return moment_of(found, as_of)
    return None


def coded(kind: str, content: dict[str, Any], column: FhirColumn) -> Iterator[dict[str, Any]]:
    """Yield the parts of a resource that carry one of a column's codes: itself, or components of an observation."""
    if not (column.codes or column.prefixes):
        yield content
        return
    place = column.code_path or CODED_AT.get(kind, "code")
    parts = [content]
    if kind == "Observation" and "component" in content:
        parts += [one for one in walk(content, "component") if isinstance(one, dict)]
    for part in parts:
        if any(code in column.codes or code.startswith(tuple(column.prefixes))
               for code in codes_at(part, place, column.system)):
            yield part


def codes_at(part: dict[str, Any], place: str, system: str | None) -> Iterator[str]:
    """Yield the codes of a system at a path to a CodeableConcept, a Coding or a code."""
    for concept in walk(part, place):
        if isinstance(concept, str):
            yield concept
        elif isinstance(concept, dict):
            for coding in (concept, *walk(concept, "coding")):
                if isinstance(coding, dict) and isinstance(coding.get("code"), str) and (
                        system is None or coding.get("system") == system):
                    yield coding["code"]


def value_of(kind: str, part: dict[str, Any], column: FhirColumn, as_of: date) -> Any:
    """Return the value that a part has for a column; None where it has none.

    Raises:
        Unfit: it is of another type or unit, or a date that cannot be.
    """
    if column.take in ("count", "any") and column.path is None:
        return 1.0
    if column.read == "code":
        place = column.path or column.code_path or CODED_AT.get(kind, "code")
        return next(codes_at(part, place, column.system), None)
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
