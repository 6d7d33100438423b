"""Privacy parameters as people write them: decimal strings, read exactly, and rounded against whoever spends."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

from sealane.errors import InputError

_PLAIN = re.compile(r"[0-9]{1,24}(?:\.[0-9]{1,90})?(?:[eE][-+]?[0-9]{1,3})?")
LARGEST = Decimal("1e12")
SMALLEST = Decimal("1e-60")
_DIGITS = 100


def parse_amount(text: str, name: str) -> Decimal:
    """Read a positive amount exactly.

    Args:
        text: such as ``0.5`` or ``1e-6``.
        name: of the parameter, for the error.

    Raises:
        InputError: no plain decimal, or outside 1e-60 to 1e12.
    """
    value = Decimal(text) if _PLAIN.fullmatch(text) else Decimal(0)
    if not SMALLEST <= value <= LARGEST:
        raise InputError("privacy.bad-amount", f"{name} is no usable decimal", got=repr(text[:60]),
                         expected="a positive decimal such as 0.5 or 1e-6", hint="write it in quotes, as text")
    return value


def parse_delta(text: str) -> Decimal:
    """Read a delta: between 0 and 1, both excluded.

    Raises:
        InputError: it is not.
    """
    value = parse_amount(text, "delta")
    if value >= 1:
        raise InputError("privacy.bad-delta", "delta is between 0 and 1", got=text[:60])
    return value


def up(value: Decimal, digits: int = 6) -> Decimal:
    """Return what was spent, rounded up to that many digits."""
    return _rounded(value, digits, ROUND_CEILING)


def down(value: Decimal, digits: int = 6) -> Decimal:
    """Return what is left, rounded down to that many digits; never below zero."""
    return _rounded(max(value, Decimal(0)), digits, ROUND_FLOOR)


def difference(cap: Decimal, spent: Decimal) -> Decimal:
    """Return what is left of a cap, exactly."""
    with localcontext() as context:
        context.prec = _DIGITS
        return max(cap - spent, Decimal(0))


def text_of(value: Decimal) -> str:
    """Write an amount without trailing zeros and without loss."""
    with localcontext() as context:
        context.prec = _DIGITS
        plain = value.normalize()
    return f"{plain:f}" if -7 < plain.adjusted() < 15 else str(plain)


def _rounded(value: Decimal, digits: int, rounding: str) -> Decimal:
    with localcontext() as context:
        context.prec, context.rounding = digits, rounding
        return +value
