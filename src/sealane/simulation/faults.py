"""Scripted faults: what goes wrong between a node and the coordinator, written down as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["drop", "delay", "duplicate", "reorder", "replace", "crash", "crash-coordinator"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: ``drop`` loses the message; ``delay`` holds it for ``seconds``; ``duplicate`` delivers it twice;
            ``reorder`` delivers it after the next message of that link; ``replace`` delivers what ``lie`` makes of
            it; ``crash`` kills the node instead of delivering and starts it again after ``seconds``;
            ``crash-coordinator`` does the same to the coordinator.
        node: name of the node at one end, or ``*``.
        message: class name of the message, such as ``Contribution``, or ``*``.
        exchange: number of the exchange, or None for any.
        times: how often it happens; -1 for always.
        after: how many matching messages pass first.
        seconds: of a delay, or until a crashed party is back; negative: it never comes back.
        lie: makes the replacement; None as its answer drops the message.
    """

    kind: Kind
    node: str = "*"
    message: str = "*"
    exchange: int | None = None
    times: int = 1
    after: int = 0
    seconds: float = 0.0
    lie: Callable[[Any], Any] | None = None


@dataclass(slots=True)
class Script:
    """A list of faults, and how often each has matched and happened."""

    faults: tuple[Fault, ...] = ()
    matched: dict[int, int] = field(default_factory=dict)
    happened: dict[int, int] = field(default_factory=dict)

    def next(self, node: str, message: object) -> Fault | None:
        """Return the fault that befalls a message, if any."""
        for index, fault in enumerate(self.faults):
            if not _matches(fault, node, message):
                continue
            self.matched[index] = self.matched.get(index, 0) + 1
            if self.matched[index] <= fault.after:
                continue
            if fault.times >= 0 and self.happened.get(index, 0) >= fault.times:
                continue
            self.happened[index] = self.happened.get(index, 0) + 1
            return fault
        return None


def _matches(fault: Fault, node: str, message: object) -> bool:
    return (
        fault.node in ("*", node)
        and fault.message in ("*", type(message).__name__)
        and fault.exchange in (None, getattr(message, "exchange", None))
    )
