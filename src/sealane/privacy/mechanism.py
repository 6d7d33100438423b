"""Mechanisms as data: what was added to what, in numbers that everybody agreed on. Nothing drawn or observed enters.

No mechanism here is amplified by a cohort: the coordinator chooses cohorts, so being left out of one proves nothing.
Rows that a node draws by secret coins are another matter (``sampled.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

from sealane.errors import InputError
from sealane.privacy.amounts import parse_amount, text_of
from sealane.privacy.distributed import DistributedGaussian
from sealane.privacy.sampled import SampledGaussian


@dataclass(frozen=True, slots=True)
class DiscreteGaussian:
    """Discrete Gaussian noise of one source on integers.

    Attributes:
        sigma: its parameter.
        norm_squared: square of the Euclidean norm by which two neighbours' integers differ at most.
    """

    sigma: Decimal
    norm_squared: int


@dataclass(frozen=True, slots=True)
class Laplace:
    """Laplace noise.

    Attributes:
        scale: its parameter b.
        sensitivity: how far two neighbours' values are apart at most, in the sum of magnitudes.
    """

    scale: Decimal
    sensitivity: Decimal


@dataclass(frozen=True, slots=True)
class Concentrated:
    """Anything that is rho-zCDP: its Rényi divergence of order a is at most rho a."""

    rho: Decimal


Mechanism = DistributedGaussian | SampledGaussian | DiscreteGaussian | Laplace | Concentrated
_KINDS: dict[str, type[Mechanism]] = {
    "distributed-gaussian": DistributedGaussian, "sampled-gaussian": SampledGaussian,
    "discrete-gaussian": DiscreteGaussian, "laplace": Laplace, "concentrated": Concentrated,
}
Unit = str
"""``row``, ``institution``, or the field of the contract that names whom a row is about."""
ROW: Literal["row"] = "row"
INSTITUTION: Literal["institution"] = "institution"
"""All rows of a dataset together."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one run of a computation costs each dataset in it.

    Attributes:
        mechanism: what each of its noised sums is.
        sums: how many of these one run opens at most.
        unit: whose presence is hidden.
    """

    mechanism: Mechanism
    sums: int = 1
    unit: Unit = ROW


def describe(mechanism: Mechanism) -> dict[str, Any]:
    """Return a mechanism as JSON-ready values, decimals as text, nothing lost."""
    kind = next(name for name, shape in _KINDS.items() if type(mechanism) is shape)
    values = {field.name: getattr(mechanism, field.name) for field in fields(mechanism)}
    return {"kind": kind} | {name: text_of(value) if isinstance(value, Decimal) else value
                             for name, value in values.items()}


def read_mechanism(content: Mapping[str, Any]) -> Mechanism:
    """Read what :func:`describe` wrote.

    Raises:
        InputError: an unknown kind, or fields that are not exactly its own.
    """
    values = dict(content)
    shape = _KINDS.get(str(values.pop("kind", "")))
    if shape is None or set(values) != {field.name for field in fields(shape)}:
        raise InputError("privacy.bad-mechanism", "no such mechanism is accounted for", got=str(content)[:80],
                         expected=", ".join(_KINDS))
    read: dict[str, Any] = {}
    for field in fields(shape):
        value = values[field.name]
        whole = field.type in (int, "int")
        if type(value) is not (int if whole else str):
            raise InputError("privacy.bad-mechanism", f"{field.name} of a mechanism has the wrong type",
                             got=type(value).__name__)
        read[field.name] = (value if whole else Decimal(0) if value == "0"
                            else parse_amount(str(value), field.name))
    mechanism: Mechanism = shape(**read)
    return check(mechanism)


def check(mechanism: Mechanism) -> Mechanism:
    """Return a mechanism whose numbers are possible.

    Raises:
        InputError: they are not.
    """
    match mechanism:
        case DistributedGaussian() | SampledGaussian():
            sound = True  # they check themselves
        case DiscreteGaussian(sigma, norm_squared):
            sound = sigma.is_finite() and sigma > 0 and norm_squared >= 0
        case Laplace(scale, sensitivity):
            sound = scale.is_finite() and scale > 0 and sensitivity.is_finite() and sensitivity >= 0
        case Concentrated(rho):
            sound = rho.is_finite() and rho >= 0
    if not sound:
        raise InputError("privacy.bad-mechanism", "a mechanism is described by impossible numbers",
                         got=type(mechanism).__name__)
    return mechanism
