"""How a result came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trace:
    """How a result came about.

    Attributes:
        run_id: of the run.
        study_hash: what the institutions signed.
        cohort: names of the institutions whose rows were summed.
        rounds: collective calls made.
        bytes_sent: payload bytes that each node sent, by name.
        seconds: from proposal to result.
    """

    run_id: str
    study_hash: str
    cohort: tuple[str, ...]
    rounds: int
    bytes_sent: Mapping[str, int]
    seconds: float
