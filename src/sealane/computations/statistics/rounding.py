"""Rounding of what is released: counts to a base, statistics to significant digits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Base = Annotated[int, Field(ge=2, le=1000)] | None
Digits = Annotated[int, Field(ge=1, le=15)] | None


def to_base(number: int, base: int | None) -> int:
    """Return the nearest multiple of the base, halves away from zero; the number itself without one."""
    if base is None:
        return number
    nearest = (2 * abs(number) + base) // (2 * base) * base
    return nearest if number >= 0 else -nearest


def to_digits(number: float, digits: int | None) -> float:
    """Return the number rounded to so many significant digits; the number itself without them."""
    return number if digits is None else float(f"{number:.{digits}g}")
