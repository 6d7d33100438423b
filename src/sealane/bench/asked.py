"""What a measurement is asked for: checked once, sent to each child process as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sealane.errors import InputError

SCHEMES: Final = ("rlwe", "masking", "ckks")
BACKENDS: Final = ("cpu", "cuda", "auto")
PEERS: Final = ("tenseal-nvflare", "tenseal-8192", "tenseal-4096", "flower-secaggplus", "numpy")
CLIP: Final = 0.05
"""Bound of an entry: five standard deviations of the vectors."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One measurement.

    Args:
        scheme: what protects the sum.
        backend: where ``rlwe`` computes.
        length: values of a vector.
        cohort: nodes that contribute.
        bits: width that a value is quantised to, 4 to 24.
        threads: processor threads that a system may use.
        rounds: repetitions, of which medians are taken.

    Raises:
        InputError: a number is outside what can be measured.
    """

    scheme: str = "rlwe"
    backend: str = "cpu"
    length: int = 1_000_000
    cohort: int = 4
    bits: int = 16
    threads: int = 1
    rounds: int = 5

    def __post_init__(self) -> None:
        for name, low, high in (("length", 1, 1 << 28), ("cohort", 3, 1000), ("bits", 4, 24), ("threads", 1, 1024),
                                ("rounds", 1, 1000)):
            if not low <= getattr(self, name) <= high:
                raise InputError("bench.out-of-range", f"--{name} is outside what can be measured",
                                 got=getattr(self, name), expected=f"{low} to {high}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Asked:
        """Rebuild what :meth:`to_dict` described."""
        return cls(**fields)
