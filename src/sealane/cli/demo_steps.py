"""What all demos share: where they say what they do, and what a report says of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sealane.client.status import RunStatus
from sealane.governance.study import Study


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a demo says what it does: a step as it begins, a run's status whenever it changes."""

    step: Callable[[str], None]
    status: Callable[[RunStatus], None]


def study_part(study: Study, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return what a report says of a study."""
    return {
        "name": study.name, "hash": study.hash, "purpose": study.purpose, "computation": study.computation,
        "scheme": study.scheme, "minimum_cohort": study.minimum_cohort,
        "participants": [{"name": p.name, "fingerprint": p.fingerprint, "rows": rows.get(p.name)}
                         for p in study.participants],
    }
