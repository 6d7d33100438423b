"""The states of a run and the steps between them; any other step is an error and changes nothing.

    PROPOSED -> ADMITTED -> RUNNING <-> PAUSED -> ... -> RELEASING -> COMPLETED
    every state but the last two -> ABORTED
"""

from __future__ import annotations

from enum import StrEnum

from sealane.errors import ProtocolError


class RunState(StrEnum):
    """Where a run stands."""

    PROPOSED = "PROPOSED"
    ADMITTED = "ADMITTED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RELEASING = "RELEASING"
    COMPLETED = "COMPLETED"
    ABORTED = "ABORTED"

    @property
    def over(self) -> bool:
        """True where nothing can follow."""
        return self in (RunState.COMPLETED, RunState.ABORTED)


_STEPS: dict[RunState, frozenset[RunState]] = {
    RunState.PROPOSED: frozenset({RunState.ADMITTED, RunState.PAUSED, RunState.ABORTED}),
    RunState.ADMITTED: frozenset({RunState.RUNNING, RunState.PAUSED, RunState.ABORTED}),
    RunState.RUNNING: frozenset({RunState.PAUSED, RunState.RELEASING, RunState.ABORTED}),
    RunState.PAUSED: frozenset({RunState.PROPOSED, RunState.RUNNING, RunState.ABORTED}),
    RunState.RELEASING: frozenset({RunState.PAUSED, RunState.COMPLETED, RunState.ABORTED}),
    RunState.COMPLETED: frozenset(),
    RunState.ABORTED: frozenset(),
}


def step(old: RunState, new: RunState) -> RunState:
    """Return ``new`` if it may follow ``old``.

    Raises:
        ProtocolError: it may not.
    """
    if new not in _STEPS[old]:
        raise ProtocolError("run.illegal-transition", "a run cannot take this step", got=f"{old} to {new}",
                            expected=", ".join(sorted(_STEPS[old])) or "nothing: the run is over")
    return new
