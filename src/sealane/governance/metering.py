"""What runs used: one metered event per run and node, and exact totals over events. Pure integers and decimals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal, localcontext
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.clock import from_text, to_text
from sealane.core.ids import FINGERPRINT, NAME, RUN_ID
from sealane.errors import InputError
from sealane.governance.fault import first_fault

COMPLETED: Final = "completed"
LARGEST = 2**53 - 1
MAXIMUM_BYTES = 4096
DIGITS: Final = 80
"""More than any sum or product of legal figures has: no decimal is rounded by accident."""
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Epsilon = Annotated[str, Field(pattern=r"^(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,18})?$")]


class MeteredRun(BaseModel):
    """What one run used at one node.

    Attributes:
        version: of this document's form.
        run: id of the run.
        study: hash of its study.
        node: name of the node.
        fingerprint: of its signing key.
        dataset: name of the dataset at the node, empty where the run never got as far as opening it.
        rows: rows that the computation read, rounded down to a multiple of the study's minimum count.
        rounds: collective calls finished.
        bytes_sent: of messages about the run, as the node handed them to its stream.
        cpu_us: processor time of the computation, in microseconds.
        wall_us: time from the node's joining to the run's end, in microseconds, while the node was up.
        epsilon: privacy charged for the run by the node's ledger, as a decimal; None where none was charged.
        outcome: ``completed``, or the code of the error that ended the run.
        ended_at: RFC 3339.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: Literal["sealane.metered-run/v1"] = "sealane.metered-run/v1"
    run: Annotated[str, Field(pattern=f"^(?:{RUN_ID.pattern})$")]
    study: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    node: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
    fingerprint: Annotated[str, Field(pattern=f"^(?:{FINGERPRINT.pattern})$")]
    dataset: Annotated[str, Field(pattern=f"^(?:{NAME.pattern})?$")]
    rows: Count
    rounds: Count
    bytes_sent: Count
    cpu_us: Count
    wall_us: Count
    epsilon: Epsilon | None = None
    outcome: Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]{0,99}$")]
    ended_at: str

    @field_validator("ended_at")
    @classmethod
    def _moment(cls, text: str) -> str:
        if to_text(from_text(text)) != text:
            raise ValueError("a moment is RFC 3339 in UTC to the second")
        return text

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes that are kept."""
        return canonical_bytes(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class Totals:
    """Exact sums over metered events, named as there; ``epsilon`` adds up what was charged (basic composition)."""

    runs: int = 0
    rows: int = 0
    rounds: int = 0
    bytes_sent: int = 0
    cpu_us: int = 0
    wall_us: int = 0
    epsilon: Decimal = Decimal(0)

    def to_dict(self) -> dict[str, Any]:
        """Return the totals as JSON-ready values: integers, and epsilon as a decimal string without an exponent."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "epsilon"} | {
            "epsilon": f"{self.epsilon:f}"}


def total(events: Iterable[MeteredRun]) -> Totals:
    """Return the sums over events.

    Raises:
        InputError: an event occurs twice.
    """
    listed = list(events)
    if len({(event.run, event.fingerprint) for event in listed}) != len(listed):
        raise InputError("metering.counted-twice", "a run of one node is listed twice", got=f"{len(listed)} events")
    with localcontext(prec=DIGITS):
        epsilon = sum((Decimal(event.epsilon) for event in listed if event.epsilon is not None), Decimal(0))
    rows, rounds, sent, cpu, wall = (sum(getattr(event, name) for event in listed)
                                     for name in ("rows", "rounds", "bytes_sent", "cpu_us", "wall_us"))
    return Totals(len(listed), rows, rounds, sent, cpu, wall, epsilon)


def charged(events: Iterable[MeteredRun]) -> list[MeteredRun]:
    """Return the events that a tariff applies to: runs that gave their result."""
    return [event for event in events if event.outcome == COMPLETED]


def read_metered(data: bytes) -> MeteredRun:
    """Read an event from canonical bytes.

    Raises:
        InputError: it is none.
    """
    return metered(parse_canonical(data, limit=MAXIMUM_BYTES))


def metered(content: Any) -> MeteredRun:
    """Build an event from plain values.

    Raises:
        InputError: it is none.
    """
    try:
        return MeteredRun.model_validate(content)
    except ValidationError as error:
        raise InputError("metering.malformed", "a metered event is malformed",
                         got=": ".join(first_fault(error, "event"))) from error
