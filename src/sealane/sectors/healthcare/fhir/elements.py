"""What one resource says: its subject, its date, whether it counts and its codes; or why it is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sealane.sectors.healthcare.fhir.mapping import CODED_AT, FhirColumn

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
