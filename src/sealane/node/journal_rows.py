"""What the journal says of a run and of an exchange."""

from __future__ import annotations

from dataclasses import dataclass

from sealane.core.octets import Octets
from sealane.core.secret import Secret


@dataclass(frozen=True, slots=True)
class RunRow:
    """What is known of a run."""

    run_id: str
    study_hash: str
    agreement_seed: Secret
    attempt: int
    start: bytes | None
    ended: bool
    released: bool


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """What is known of one exchange of an attempt. For an agreement only ``total`` (the adopted value) is set."""

    description_hash: bytes
    seed: Secret | None
    payload: Octets | None
    digest: bytes | None
    share: Secret | None
    total: Octets | None
