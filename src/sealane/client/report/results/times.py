"""Units of time as a reader wants them: years where the contract counts thousands of days."""

from __future__ import annotations

from dataclasses import dataclass

# UCUM: a month is a twelfth of a year of 365.25 days.
DAYS = {"d": 1.0, "wk": 7.0, "mo": 30.4375, "a": 365.25}
TITLES = {"d": "Days", "wk": "Weeks", "mo": "Months", "a": "Years"}
LONG_DAYS = 2.0 * 365.25
"""Above so many days an axis counts years."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What an axis counts, and how many of the result's own unit that is."""

    title: str
    size: float


def unit_of(code: str | None, longest: float) -> Unit:
    """Return the unit for times up to ``longest`` in a UCUM unit."""
    days = DAYS.get(code or "")
    if days is None:
        return Unit(f"Time ({code})" if code else "Time", 1.0)
    if code in ("d", "wk") and longest * days > LONG_DAYS:
        return Unit("Years", DAYS["a"] / days)
    return Unit(TITLES[str(code)], 1.0)


def words(number: float, code: str | None) -> str:
    """Return a length of time in words: ``30.4375`` days are one month."""
    days = DAYS.get(code or "")
    if days is None:
        return f"{number:g} {code or 'units'}"
    for name, size in reversed(DAYS.items()):
        whole = number * days / size
        if whole >= 1 and abs(whole - round(whole)) < 1e-9:
            return f"{round(whole)} {TITLES[name].lower()[: -1 if round(whole) == 1 else None]}"
    return f"{number:g} {TITLES[str(code)].lower()}"
