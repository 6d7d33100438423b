"""How a run is shown: its status as a document and as text, and its progress while it is followed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sealane.cli.output import facts, kilobytes, note, table
from sealane.client.status import RunStatus

QUIET_SECONDS = 5.0
Watch = Callable[[RunStatus], None]


def describe(status: RunStatus) -> dict[str, Any]:
    """Return a run's status as JSON-ready values."""
    return {
        "run": status.run_id, "study": status.study_hash, "state": status.state, "attempt": status.attempt,
        "rounds": status.exchanges, "cohort": sorted(status.cohort), "waiting_for": list(status.waiting_for),
        "bytes_sent": dict(sorted(status.bytes_sent.items())), "seconds": round(status.elapsed_s, 3),
        "started_at": status.started_at, "error": None if status.error is None else status.error.to_dict(),
    }


def present(status: RunStatus) -> str:
    """Return a run's status as text."""
    error = status.error
    return facts([
        ("run", status.run_id), ("study", status.study_hash), ("state", status.state.lower()),
        ("cohort", ", ".join(sorted(status.cohort)) or "none yet"), ("rounds", status.exchanges),
        ("waiting for", ", ".join(status.waiting_for) or None), ("sent", sent(status)),
        ("seconds", f"{status.elapsed_s:.1f}"), ("started", status.started_at),
        ("reason", None if error is None else f"{error.message} [{error.code}]"),
        ("got", error and error.got), ("expected", error and error.expected), ("hint", error and error.hint),
    ])


def present_list(statuses: Iterable[RunStatus]) -> str:
    """Return runs as a table."""
    return table(("run", "study", "state", "rounds", "started", "reason"), (
        (s.run_id, s.study_hash[:12], s.state.lower(), s.exchanges, s.started_at, s.error.code if s.error else "")
        for s in statuses), empty="no runs")


def sent(status: RunStatus) -> str:
    """Return the bytes that all nodes sent."""
    return f"{kilobytes(sum(status.bytes_sent.values()))} by {len(status.bytes_sent)} nodes"


def line(status: RunStatus) -> str:
    """Return a run's progress on one line."""
    waiting = f", waiting for {', '.join(status.waiting_for)}" if status.waiting_for and not status.over else ""
    return f"{status.state.lower()}: round {status.exchanges}, {sent(status)}{waiting}"


@contextmanager
def following(run_id: str) -> Iterator[Watch]:
    """Show progress on stderr: one live line on a terminal, a plain line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _plainly(run_id)
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(run_id, total=None)
        yield lambda status: progress.update(task, description=f"{run_id} {line(status)}")


def _plainly(run_id: str) -> Watch:
    told: list[tuple[str, int]] = []
    moment = [time.monotonic()]

    def tell(status: RunStatus) -> None:
        now, stands = time.monotonic(), (status.state, status.attempt)
        if told[-1:] != [stands] or now - moment[0] > QUIET_SECONDS:
            told.append(stands)
            moment[0] = now
            note(f"{run_id} {line(status)}")

    return tell
