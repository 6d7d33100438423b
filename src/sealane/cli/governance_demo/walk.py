"""The whole walk: a federation of real processes with made-up rows, one step after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sealane.cli.governance_demo import agreeing, evidence, running
from sealane.cli.governance_demo.step import Step
from sealane.cli.local_federation import LocalFederation, local_federation
from sealane.governance.study import Study
from sealane.sectors.finance.made_up import CONTRACT, write_made_up_loans

NAMES = ("north", "south", "west")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Walk:
    """What the demo came to.

    Attributes:
        steps: in their order.
        wall_s: seconds from nothing to the last step.
    """

    steps: tuple[Step, ...]
    wall_s: float

    @property
    def ok(self) -> bool:
        """True where every step came to what it should have."""
        return all(step.ok for step in self.steps)

    def found(self, name: str) -> dict[str, Any]:
        """Return what a step found."""
        return next(step.found for step in self.steps if step.name == name)


class _Taken:
    """Steps as they are taken, each timed and told as it ends."""

    def __init__(self, tell: Callable[[int, Step], None]) -> None:
        self.steps: list[Step] = []
        self._tell = tell

    def take(self, act: Callable[[], Step]) -> Step:
        return self.take_with(lambda: (None, act()))[1]

    def take_with(self, act: Callable[[], tuple[T, Step]]) -> tuple[T, Step]:
        began = time.perf_counter()
        made, step = act()
        timed = replace(step, seconds=round(time.perf_counter() - began, 3))
        self.steps.append(timed)
        self._tell(len(self.steps), timed)
        return made, timed


def walk(root: Path, folder: Path, say: Callable[[str], None], tell: Callable[[int, Step], None]) -> Walk:
    """Take every step.

    Args:
        root: directory for tables, homes and logs of all parties.
        folder: existing directory for the evidence.
        say: is told what happens before the first step.
        tell: is told each step with its number, as it ends.

    Raises:
        SealaneError: a step could not be taken.
    """
    began = time.perf_counter()
    say("making up rows from a fixed seed: no person and no lender is behind them")
    tables = write_made_up_loans(root / "tables", NAMES)
    taken = _Taken(tell)
    with local_federation(root, tables, CONTRACT, auditor=True, say=say) as federation:
        study, run_id = _together(federation, taken)
        taken.take(lambda: evidence.export(federation, study, run_id, folder))
        say("stopping every process: from here on there are files only")
    taken.take(lambda: evidence.verify(folder, study, run_id))
    taken.take(lambda: evidence.falsify(folder))
    return Walk(tuple(taken.steps), round(time.perf_counter() - began, 2))


def _together(federation: LocalFederation, taken: _Taken) -> tuple[Study, str]:
    """Take the steps that need the processes, and return the study that was signed and its first run."""
    taken.take(lambda: agreeing.publish(federation))
    taken.take(lambda: agreeing.look(federation))
    first, _ = taken.take_with(lambda: agreeing.propose(federation))
    taken.take(lambda: agreeing.review(federation, first))
    taken.take(lambda: agreeing.counter(federation, first))
    study, _ = taken.take_with(lambda: agreeing.amend(federation, first))
    taken.take(lambda: agreeing.sign(federation, study))
    run_id, ran = taken.take_with(lambda: running.run(federation, study))
    taken.take(lambda: running.cost(federation, run_id))
    taken.take(lambda: running.revoke(federation, study, ran.found["rounds"]))
    taken.take(lambda: running.refuse(federation, study))
    return study, run_id
